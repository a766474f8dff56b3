package accesstarget

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// workers bounds the probes at once: a target that hangs holds one of them.
const workers = 8

// SetupWithManager registers the prober and the keeper.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	backoff := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, probeInterval)
	err := ctrl.NewControllerManagedBy(mgr).
		Named("accesstarget").
		For(&v1alpha1.AccessTarget{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(targetOfSecret)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: backoff}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up accesstarget: %w", err)
	}
	err = ctrl.NewControllerManagedBy(mgr).
		Named("accesstarget-keeper").
		For(&v1alpha1.AccessTarget{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.TaskAccessRequest{}, handler.EnqueueRequestsFromMapFunc(targetOfRequest), builder.WithPredicates(openedOrClosed)).
		Complete(&keeper{r})
	if err != nil {
		return fmt.Errorf("set up accesstarget-keeper: %w", err)
	}
	return nil
}

// targetOfSecret finds the target that a Secret is named after, in whatever
// namespace: a namespace's name has no dot.
func targetOfSecret(_ context.Context, secret client.Object) []reconcile.Request {
	namespace, name, ok := strings.Cut(secret.GetName(), ".")
	if secret.GetNamespace() != v1alpha1.TargetNamespace || !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}

func targetOfRequest(_ context.Context, object client.Object) []reconcile.Request {
	request, ok := object.(*v1alpha1.TaskAccessRequest)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: request.Namespace, Name: request.Spec.Target}}}
}

// openedOrClosed lets through what changes whether a request is open.
var openedOrClosed = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, okBefore := e.ObjectOld.(*v1alpha1.TaskAccessRequest)
		after, okAfter := e.ObjectNew.(*v1alpha1.TaskAccessRequest)
		return !okBefore || !okAfter || (before.Status.ClosedAt == nil) != (after.Status.ClosedAt == nil)
	},
}
