package taskaccessrequest

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/sallyport/sallyport/api/v1alpha1"
	sshissuer "github.com/sallyport/sallyport/internal/credential/ssh"
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

// forget lets the object go once no list of revoked certificates needs it (kubectl access
// krl). Where that list was the proof, certificates would be good again without it.
func (r *Reconciler) forget(ctx context.Context, s *scope) (outcome, error) {
	if left := s.certificatesLast(r.Now()); left > 0 {
		return again(min(left, time.Minute)), nil
	}
	return stop, r.letGo(ctx, s)
}

// certificatesLast is how long certificates of a request that has ended may still be good.
// Whoever abandons it does not wait for them, and a target that is gone has no list.
func (s *scope) certificatesLast(now time.Time) time.Duration {
	_, abandoned := s.request.Annotations[v1alpha1.AnnotationAbandon]
	if abandoned || s.status.Ended == nil || !certified(s.status) || s.target == nil || s.target.Spec.SSH == nil {
		return 0
	}
	request := credentialRequest(s, now)
	return sshissuer.LastEnd(s.target.Spec.SSH, request.EndedAt, request.ExpiresAt, now).Sub(now)
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
