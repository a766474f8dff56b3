package approvalreview

import (
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// hold makes the fixture's review one of a held operation.
func (f *fixture) hold() {
	f.t.Helper()
	question := *f.Review.Spec.Question.DeepCopy()
	question.Subject.Kind = v1alpha1.SubjectStatement
	question.Subject.Held = &v1alpha1.HeldOperation{
		ID: "s/1", Point: v1alpha1.HoldAtStatement, Digest: strings.Repeat("ab", 32), Rule: "no-where", Kind: "update", Text: "UPDATE orders SET paid = true",
	}
	f.Review = &v1alpha1.ApprovalReview{Spec: v1alpha1.ApprovalReviewSpec{Question: question, Decisions: []v1alpha1.Decision{}}}
	f.Review.Namespace, f.Review.Name = f.Request.Namespace, f.Request.Name+"-0123456789"
	f.must(f.Create(f.t.Context(), f.Review))
}

func (f *fixture) withdraw() error {
	marked := f.Review.DeepCopy()
	metav1.SetMetaDataAnnotation(&marked.ObjectMeta, v1alpha1.AnnotationWithdrawn, "now")
	return f.Patch(f.t.Context(), marked, client.MergeFrom(f.Review))
}

func TestAHeldOperationThatNobodyWaitsForIsWithdrawn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.hold()
	f.decide("alice", v1alpha1.VerdictApprove, "")
	f.must(f.withdraw())
	_, err := f.pass()
	f.must(err)
	f.want("Withdrawn", "its client no longer waits")
}

func TestTheMarkOfAWithdrawalEndsNoRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.must(f.withdraw())
	_, err := f.pass()
	f.must(err)
	f.want("Pending", "needs 1 of dba")
}

func TestAHeldOperationsReviewGoesADayAfterItsOutcome(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.hold()
	f.decide("alice", v1alpha1.VerdictApprove, "")
	_, err := f.pass()
	f.must(err)
	f.want("Approved", "alice")
	f.now = f.now.Add(keepHeld - time.Minute)
	result, err := f.pass()
	f.must(err)
	if result.RequeueAfter != time.Minute {
		t.Errorf("comes back after %s, want a minute", result.RequeueAfter)
	}
	f.now = f.now.Add(time.Minute)
	if _, err := f.r.Reconcile(t.Context(), f.key()); err != nil {
		t.Fatal(err)
	}
	if err := f.Get(t.Context(), f.key().NamespacedName, f.Review); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestARequestsReviewStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.decide("alice", v1alpha1.VerdictApprove, "")
	_, err := f.pass()
	f.must(err)
	f.now = f.now.Add(100 * keepHeld)
	if result, err := f.pass(); err != nil || result.RequeueAfter != 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

// Approval, withdrawal and deadline race: whichever is latched first stays, and each
// replica sees the same.
func TestREV3_OfApprovalWithdrawalAndDeadlineOneWins(t *testing.T) {
	t.Parallel()
	for range 8 {
		f := newFixture(t)
		f.hold()
		late := *f.r
		late.Now = func() time.Time { return f.now.Add(2 * time.Hour) }
		f.decide("alice", v1alpha1.VerdictApprove, "")
		var group sync.WaitGroup
		group.Go(func() { _ = f.withdraw() })
		for _, leader := range []*Reconciler{f.r, &late, f.r} {
			group.Go(func() {
				for range 5 {
					_, _ = leader.Reconcile(t.Context(), f.key())
				}
			})
		}
		group.Wait()
		_, err := f.pass()
		f.must(err)
		first := f.Review.Status.Outcome
		if first == "" {
			t.Fatal("no outcome")
		}
		f.now = f.now.Add(2 * time.Hour)
		_, err = f.pass()
		f.must(err)
		if f.Review.Status.Outcome != first {
			t.Fatalf("%s became %s", first, f.Review.Status.Outcome)
		}
	}
}
