// Package accesspolicy compiles policies, and says in their status whether they
// can be enforced here. One that is not Ready grants nothing.
package accesspolicy

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/stores"
)

// Stores finds the installation's buckets, and says whether one can be used.
type Stores interface {
	Find(ctx context.Context, name string) (*stores.Bucket, error)
	Check(ctx context.Context, bucket *stores.Bucket) error
	Names(ctx context.Context) ([]string, error)
}

// Reconciler compiles policies. Only the leader runs it.
type Reconciler struct {
	client.Client
	Stores Stores
	Events events.EventRecorder
	Now    func() time.Time
}

// recheckStore is how soon a store is looked at again: nothing tells of its Secret, or of
// the bucket.
const recheckStore = time.Minute

// +kubebuilder:rbac:groups=access.sallyport.dev,resources=accesspolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=access.sallyport.dev,resources=accesspolicies/status,verbs=get;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager watches policies, and the stores that they name.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("accesspolicy").
		For(&v1alpha1.AccessPolicy{}).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.recordingTo)).
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
	unusable, err := r.unusable(ctx, policy.Spec.Recording)
	if err != nil {
		return ctrl.Result{}, err
	}
	err = r.writeStatus(ctx, policy, draft(policy, unusable, r.Now()))
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
	}
	if stores.Of(policy.Spec.Recording) != v1alpha1.StoreVolume {
		return ctrl.Result{RequeueAfter: recheckStore}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// recordingTo finds the policies that name a store.
func (r *Reconciler) recordingTo(ctx context.Context, config client.Object) []ctrl.Request {
	name := stores.Name(config.GetName())
	if name == "" || config.GetNamespace() != v1alpha1.ProxyNamespace {
		return nil
	}
	list := &v1alpha1.AccessPolicyList{}
	if err := r.List(ctx, list); err != nil {
		return nil
	}
	requests := []ctrl.Request{}
	for _, policy := range list.Items {
		if policy.Spec.Recording.Store == name {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&policy)})
		}
	}
	return requests
}
