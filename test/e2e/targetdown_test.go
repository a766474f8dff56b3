package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestLIFE2_ATargetThatIsDownAtCloseHasToProveItWhenItIsBack(t *testing.T) {
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	role := task.Role(t)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT count(*) FROM orders;", "5000")

	d.StopPostgres(t)
	task.Close(t)
	request := task.Await(t, "Closing, with the reason", func(r *v1alpha1.TaskAccessRequest) bool {
		reason, message := harness.State(r)
		return reason == v1alpha1.ReasonClosing && strings.Contains(message, "not proved yet") && r.Status.Teardown != nil
	})
	if request.Status.ClosedAt != nil || request.Status.Teardown.Proved {
		t.Errorf("closed while the target was down: %+v", request.Status.Teardown)
	}
	d.Bob.Refused(t, []string{"over"}, "access", "psql", "pay-1", "-n", d.Namespace, "--", "-c", "SELECT 1")
	// Nobody gets rid of it by deleting it.
	d.Bob.Kubectl(t, "delete", "tar", "pay-1", "-n", d.Namespace, "--wait=false")
	d.Administrator.Refused(t, []string{"finalizer"}, "patch", "tar", "pay-1", "-n", d.Namespace, "--type=json",
		"-p", `[{"op":"remove","path":"/metadata/finalizers"}]`)
	if request := task.Get(t); request.Status.ClosedAt != nil {
		t.Error("closed without proof")
	}

	d.StartPostgres(t)
	// It was deleted meanwhile: the proof is that it goes, which its finalizer held up.
	d.AwaitDeleted(t, task)
	if d.Postgres.HasRole(t, role) {
		t.Errorf("role %s is left", role)
	}
	if left := d.LeftOf(t, task.UID); len(left) > 0 {
		t.Errorf("left in the cluster: %v", left)
	}
}
