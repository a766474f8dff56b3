package e2e

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestREV5_TheReasonOfADenialReachesTheWaitingClient(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Ask(t, d.Bob, "pay-1", harness.TypeRead)
	psql := task.Psql(t)
	psql.Err.Await(t, 0, "NOTICE:", harness.Patience)

	d.Alice.Refused(t, []string{"-m"}, "approve", "deny", "pay-1", "-n", d.Namespace)
	d.Alice.Kubectl(t, "approve", "deny", "pay-1", "-n", d.Namespace, "-m", "use the replica")
	if _, code := psql.Exit(t, harness.Patience); code == 0 {
		t.Error("psql ended as if nothing had happened")
	}
	says(t, psql.Err.String(), "FATAL", "denied by alice: use the replica")
	if request := task.AwaitGone(t, v1alpha1.ReasonDenied); request.Status.Credential != nil {
		t.Errorf("a denied task got %+v", request.Status.Credential)
	}
	// A later yes of somebody else changes nothing.
	d.Carol.Refused(t, []string{"over"}, "approve", "pay-1", "-n", d.Namespace)
}

func TestREV5_AReviewThatNobodyAnswersExpires(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t, func(p *harness.Policies) { p.Read.Review.ExpiresAfterSeconds = 60 })
	task := d.Ask(t, d.Bob, "pay-1", harness.TypeRead)
	psql := task.Psql(t)
	psql.Err.Await(t, 0, "NOTICE:", harness.Patience)
	deadline := task.Review(t).Spec.Question.ExpiresAt.Time

	ended, _ := psql.Exit(t, 90*time.Second)
	if ended.Before(deadline) {
		t.Errorf("psql ended %v before the review's deadline", deadline.Sub(ended))
	}
	harness.Within(t, "the client heard after the review's deadline", ended.Sub(deadline), harness.Soon)
	says(t, psql.Err.String(), "FATAL", "the review expired")
	request := task.AwaitGone(t, v1alpha1.ReasonExpired)
	if request.Status.Credential != nil || task.Review(t).Status.Outcome != v1alpha1.OutcomeExpired {
		t.Errorf("credential %+v, review %+v", request.Status.Credential, task.Review(t).Status)
	}
	d.Alice.Refused(t, []string{"over"}, "approve", "pay-1", "-n", d.Namespace)
}
