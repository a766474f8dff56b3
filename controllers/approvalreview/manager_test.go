package approvalreview

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

// startManager runs the reconciler as the manager does, until the test ends.
func startManager(t *testing.T, s *apitest.Server) {
	t.Helper()
	mgr, err := ctrl.NewManager(s.Config, ctrl.Options{Scheme: s.Scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Authoriser: AccessReviews{Client: mgr.GetClient()},
		Events: mgr.GetEventRecorder("approvalreview"), Now: time.Now,
	}
	if err := r.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	apitest.RunManager(t, mgr)
}

// TestTheManagerCountsWithTheAPIServersOwnAuthoriser is not parallel with the tests
// that reconcile by hand: the manager watches every namespace.
func TestTheManagerCountsWithTheAPIServersOwnAuthoriser(t *testing.T) {
	g := gomega.NewWithT(t)
	approved, refused, closed := newFixture(t), newFixture(t), newFixture(t)
	server := apitest.Start(t)
	server.Allow(t.Context(), t, approved.Namespace, "alice", "accesspolicies", []string{v1alpha1.VerbReview}, "orders-read")
	server.Allow(t.Context(), t, refused.Namespace, "alice", "accesspolicies", []string{v1alpha1.VerbReview}, "another-policy")
	startManager(t, server)

	state := func(f *fixture) func() string {
		return func() string {
			f.must(f.Get(t.Context(), f.key().NamespacedName, f.Review))
			if len(f.Review.Status.Latched) > 0 && !f.Review.Status.Latched[0].Counted {
				return "refused"
			}
			return string(f.Review.Status.Outcome)
		}
	}
	approved.decide("alice", v1alpha1.VerdictApprove, "")
	refused.decide("alice", v1alpha1.VerdictApprove, "")
	closed.Request.Spec.State = v1alpha1.StateClosed
	closed.must(closed.Update(t.Context(), closed.Request))
	g.Eventually(state(approved), "10s", "20ms").Should(gomega.Equal("Approved"))
	g.Eventually(state(refused), "10s", "20ms").Should(gomega.Equal("refused"))
	g.Eventually(state(closed), "10s", "20ms").Should(gomega.Equal("Withdrawn"))
}
