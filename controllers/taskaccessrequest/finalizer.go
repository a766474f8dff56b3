package taskaccessrequest

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func holds(request *v1alpha1.TaskAccessRequest) bool {
	return controllerutil.ContainsFinalizer(request, v1alpha1.Finalizer)
}

// holdOn adds the finalizer, in its own patch, before the first side effect.
func (r *Reconciler) holdOn(ctx context.Context, s *scope) (outcome, error) {
	if holds(s.request) || !s.request.DeletionTimestamp.IsZero() {
		return next, nil
	}
	return next, r.setFinalizer(ctx, s, controllerutil.AddFinalizer)
}

// letGo removes the finalizer, last, under the resource version that was read.
func (r *Reconciler) letGo(ctx context.Context, s *scope) error {
	if !holds(s.request) {
		return nil
	}
	return client.IgnoreNotFound(r.setFinalizer(ctx, s, controllerutil.RemoveFinalizer))
}

func (r *Reconciler) setFinalizer(ctx context.Context, s *scope, change func(client.Object, string) bool) error {
	wanted := s.request.DeepCopy()
	change(wanted, v1alpha1.Finalizer)
	// A patch of nothing but metadata: the manager may not touch a request's spec.
	patch := client.MergeFromWithOptions(s.request, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, wanted, patch); err != nil {
		return fmt.Errorf("finalizer of %s: %w", types.NamespacedName{Namespace: wanted.Namespace, Name: wanted.Name}, err)
	}
	s.request = wanted
	return nil
}
