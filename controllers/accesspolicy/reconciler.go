// Package accesspolicy compiles policies, and says in their status whether they
// can be enforced here. One that is not Ready grants nothing.
package accesspolicy

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Reconciler compiles policies. Only the leader runs it.
type Reconciler struct {
	client.Client
	Events events.EventRecorder
	Now    func() time.Time
}

// +kubebuilder:rbac:groups=access.sallyport.dev,resources=accesspolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=access.sallyport.dev,resources=accesspolicies/status,verbs=get;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager watches policies.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("accesspolicy").
		For(&v1alpha1.AccessPolicy{}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up accesspolicy: %w", err)
	}
	return nil
}

// Reconcile compiles one policy.
func (r *Reconciler) Reconcile(ctx context.Context, key ctrl.Request) (ctrl.Result, error) {
	policy := &v1alpha1.AccessPolicy{}
	if err := r.Get(ctx, key.NamespacedName, policy); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	err := r.writeStatus(ctx, policy, draft(policy, r.Now()))
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}
