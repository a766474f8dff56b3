package approvalreview

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

// authoriser answers by name; an unknown name is an error.
type authoriser map[string]bool

func (a authoriser) MayReview(_ context.Context, _, _ string, d v1alpha1.Decision) (bool, error) {
	may, known := a[d.Reviewer]
	if !known {
		return false, errors.New("the authoriser is down")
	}
	return may, nil
}

// fixture is one open review with everything that it is bound to.
type fixture struct {
	client.Client
	*apitest.Task
	t      *testing.T
	r      *Reconciler
	now    time.Time
	events *events.FakeRecorder
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	server := apitest.Start(t)
	f := &fixture{Client: server.Client, t: t, now: time.Now().Truncate(time.Second), events: events.NewFakeRecorder(32)}
	f.Task = server.NewTask(t.Context(), t, f.now)
	f.r = &Reconciler{
		Client: server.Client, Live: server.Client, Authoriser: authoriser{"alice": true, "erin": true, "mallory": false},
		Events: f.events, Now: func() time.Time { return f.now },
	}
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) key() ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(f.Review)}
}

func (f *fixture) decide(reviewer string, verdict v1alpha1.Verdict, message string) {
	f.t.Helper()
	f.must(f.Get(f.t.Context(), f.key().NamespacedName, f.Review))
	f.Review.Spec.Decisions = append(f.Review.Spec.Decisions,
		v1alpha1.Decision{Reviewer: reviewer, Groups: []string{"dba"}, Verdict: verdict, Message: message})
	f.must(f.Update(f.t.Context(), f.Review))
}

// pass reconciles once and reads the status.
func (f *fixture) pass() (ctrl.Result, error) {
	f.t.Helper()
	result, err := f.r.Reconcile(f.t.Context(), f.key())
	f.must(f.Get(f.t.Context(), f.key().NamespacedName, f.Review))
	return result, err
}

// want checks the state in one word, and what its message contains.
func (f *fixture) want(reason, message string) {
	f.t.Helper()
	ready := meta.FindStatusCondition(f.Review.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Reason != reason || !strings.Contains(ready.Message, message) {
		f.t.Fatalf("Ready is %+v, want reason %s, message with %q", ready, reason, message)
	}
	if outcome := string(f.Review.Status.Outcome); reason != v1alpha1.ReasonPending && outcome != reason {
		f.t.Fatalf("outcome %q, want %s", outcome, reason)
	}
}

func TestAReviewIsPendingThenApprovedAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	result, err := f.pass()
	f.must(err)
	f.want("Pending", "needs 1 of dba")
	if result.RequeueAfter != time.Hour {
		t.Errorf("comes back after %s, want at the deadline", result.RequeueAfter)
	}
	f.decide("alice", v1alpha1.VerdictApprove, "looks right")
	_, err = f.pass()
	f.must(err)
	f.want("Approved", "approved by alice (dba)")
	if l := f.Review.Status.Latched; len(l) != 1 || !l[0].Counted || l[0].Seat != "dba" || !l[0].At.Time.Equal(f.now) {
		t.Errorf("latched %+v", l)
	}
	version := f.Review.ResourceVersion
	f.decide("erin", v1alpha1.VerdictDeny, "too late")
	_, err = f.pass()
	f.must(err)
	f.want("Approved", "approved by alice (dba)")
	if len(f.Review.Status.Latched) != 1 || version == f.Review.ResourceVersion {
		t.Errorf("a decided review was counted again: %+v", f.Review.Status)
	}
	if got := len(f.events.Events); got != 2 {
		t.Errorf("%d events, want Pending and Approved", got)
	}
}

func TestADenialSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.decide("erin", v1alpha1.VerdictDeny, "wrong table")
	_, err := f.pass()
	f.must(err)
	f.want("Denied", "denied by erin: wrong table")
}

func TestADecisionAtTheDeadlineIsLate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.decide("alice", v1alpha1.VerdictApprove, "")
	f.now = f.now.Add(time.Hour)
	_, err := f.pass()
	f.must(err)
	f.want("Expired", "still needed 1 of dba")
	if l := f.Review.Status.Latched; len(l) != 1 || l[0].Counted {
		t.Errorf("latched %+v", l)
	}
}

func TestREV4_AnAuthoriserThatIsDownHolds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.decide("carol", v1alpha1.VerdictApprove, "")
	if _, err := f.pass(); err == nil {
		t.Error("no error, so no other try")
	}
	f.want("Pending", "held while the authoriser cannot say whether carol may review")
	if len(f.Review.Status.Latched) != 0 {
		t.Errorf("latched %+v", f.Review.Status.Latched)
	}
}

func TestWhoMayNotReviewIsNotCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.decide("mallory", v1alpha1.VerdictApprove, "")
	_, err := f.pass()
	f.must(err)
	f.want("Pending", "needs 1 of dba")
	if l := f.Review.Status.Latched; len(l) != 1 || !strings.Contains(l[0].Why, "verb review") {
		t.Errorf("latched %+v", l)
	}
}

func TestREV2_AQuestionThatNoLongerStandsIsWithdrawn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, message string
		change        func(f *fixture)
	}{
		{"closed", "the request was closed", func(f *fixture) {
			f.Request.Spec.State = v1alpha1.StateClosed
			f.must(f.Update(f.t.Context(), f.Request))
		}},
		{"gone", "the request is gone", func(f *fixture) { f.must(f.Delete(f.t.Context(), f.Request)) }},
		{"made again", "the request is gone", func(f *fixture) {
			f.must(f.Delete(f.t.Context(), f.Request))
			again := &v1alpha1.TaskAccessRequest{Spec: f.Request.Spec}
			again.Namespace, again.Name = f.Request.Namespace, f.Request.Name
			f.must(f.Create(f.t.Context(), again))
		}},
		{"policy edited", "policy orders-read changed since the review opened", func(f *fixture) {
			f.Policy.Spec.Session.MaxDurationSeconds = 7200
			f.must(f.Update(f.t.Context(), f.Policy))
		}},
		{"policy gone", "policy orders-read changed", func(f *fixture) { f.must(f.Delete(f.t.Context(), f.Policy)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.decide("alice", v1alpha1.VerdictApprove, "")
			tt.change(f)
			_, err := f.pass()
			f.must(err)
			f.want("Withdrawn", tt.message)
		})
	}
}

func TestREV3_OfTwoLeadersOnlyOneDecides(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.decide("alice", v1alpha1.VerdictApprove, "")
	slow, err := gather(t.Context(), f, f.key())
	f.must(err)
	f.must(f.r.count(t.Context(), slow))

	f.now = f.now.Add(2 * time.Hour)
	_, err = f.pass()
	f.must(err)
	f.want("Expired", "")
	if err := f.r.writeStatus(t.Context(), slow); !apierrors.IsConflict(err) {
		t.Fatalf("the slow leader's approval: %v, want a conflict", err)
	}
	f.must(f.Get(t.Context(), f.key().NamespacedName, f.Review))
	f.want("Expired", "")
}

func TestAReviewThatIsGoneIsNoError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.must(f.Delete(t.Context(), f.Review))
	if _, err := f.r.Reconcile(t.Context(), f.key()); err != nil {
		t.Error(err)
	}
}
