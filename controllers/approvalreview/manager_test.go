package approvalreview

import (
	"context"
	"testing"
	"time"

	"github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

// startManager runs the reconciler as the manager does, until the test ends.
func startManager(t *testing.T, s *apitest.Server) {
	t.Helper()
	mgr, err := ctrl.NewManager(s.Config, ctrl.Options{Scheme: s.Scheme, Metrics: server.Options{BindAddress: "0"}})
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
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("manager: %v", err)
		}
	})
}

// allow gives a user the verb review on a policy.
func (f *fixture) allow(user, policy string) {
	f.t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.review.Namespace, Name: "review-" + policy},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"accesspolicies"}, ResourceNames: []string{policy}, Verbs: []string{v1alpha1.VerbReview}}},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	f.must(f.Create(f.t.Context(), role))
	f.must(f.Create(f.t.Context(), binding))
}

// TestTheManagerCountsWithTheAPIServersOwnAuthoriser is not parallel with the tests
// that reconcile by hand: the manager watches every namespace.
func TestTheManagerCountsWithTheAPIServersOwnAuthoriser(t *testing.T) {
	g := gomega.NewWithT(t)
	approved, refused, closed := newFixture(t), newFixture(t), newFixture(t)
	approved.allow("alice", "orders-read")
	refused.allow("alice", "another-policy")
	startManager(t, apitest.Start(t))

	state := func(f *fixture) func() string {
		return func() string {
			f.must(f.Get(t.Context(), f.key().NamespacedName, f.review))
			if len(f.review.Status.Latched) > 0 && !f.review.Status.Latched[0].Counted {
				return "refused"
			}
			return string(f.review.Status.Outcome)
		}
	}
	approved.decide("alice", v1alpha1.VerdictApprove, "")
	refused.decide("alice", v1alpha1.VerdictApprove, "")
	closed.request.Spec.State = v1alpha1.StateClosed
	closed.must(closed.Update(t.Context(), closed.request))
	g.Eventually(state(approved), "10s", "20ms").Should(gomega.Equal("Approved"))
	g.Eventually(state(refused), "10s", "20ms").Should(gomega.Equal("refused"))
	g.Eventually(state(closed), "10s", "20ms").Should(gomega.Equal("Withdrawn"))
}
