package e2e

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestREV2_APolicyEditedWhileATaskIsOpenVoidsTheApprovalAndStopsTheSession(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	role := task.Role(t)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT count(*) FROM orders;", "5000")
	psql.Send(t, endless)
	waiting := d.Ask(t, d.Bob, "pay-2", harness.TypeRead)
	held := waiting.Psql(t)
	held.Err.Await(t, 0, "NOTICE:", harness.Patience)

	// Even an edit that takes away nothing: it is not what the reviewer saw.
	d.EditPolicy(t, harness.ReadPolicy, `{"spec":{"session":{"maxConcurrent":7}}}`)
	edited := time.Now()
	ended, _ := psql.Exit(t, harness.Patience)
	harness.Within(t, "the session ended after the edit", ended.Sub(edited), harness.Soon)
	held.Exit(t, harness.Patience)
	for _, client := range []*harness.Psql{psql, held} {
		says(t, client.Err.String(), "FATAL", "policy")
	}
	d.Postgres.AwaitNoSession(t, role, harness.Patience)
	task.AwaitGone(t, v1alpha1.ReasonVoid)
	waiting.AwaitGone(t, v1alpha1.ReasonVoid)
}

func TestREV2_ATargetOrARequestMadeAgainUnderItsNameIsNotWhatWasApproved(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	d.Bob.Refused(t, []string{"immutable"}, "patch", "tar", "pay-1", "-n", d.Namespace, "--type=merge", "-p", `{"spec":{"reason":"something else"}}`)
	d.Bob.Refused(t, []string{"immutable"}, "patch", "tar", "pay-1", "-n", d.Namespace, "--type=merge", "-p", `{"spec":{"target":"other"}}`)

	// Again under its name: the approval was another request's.
	d.Bob.Kubectl(t, "delete", "tar", "pay-1", "-n", d.Namespace)
	again := d.Ask(t, d.Bob, "pay-1", harness.TypeRead)
	if again.UID == task.UID {
		t.Fatal("the same request")
	}
	again.AwaitProxy(t)
	if request := again.AwaitState(t, v1alpha1.ReasonAwaitingReview); request.Status.GrantedAt != nil {
		t.Error("granted by another request's approval")
	}

	// A target in use waits for its requests to end; the request's approval is void.
	again.Approve(t, d.Alice)
	again.AwaitState(t, v1alpha1.ReasonActive)
	d.Administrator.Kubectl(t, "delete", "atgt", harness.Target, "-n", d.Namespace, "--wait=false")
	d.Administrator.Kubectl(t, "get", "atgt", harness.Target, "-n", d.Namespace)
	again.Close(t)
	again.AwaitGone(t, v1alpha1.ReasonClosed)
	d.Administrator.Kubectl(t, "wait", "--for=delete", "atgt/"+harness.Target, "-n", d.Namespace, "--timeout=30s")
}
