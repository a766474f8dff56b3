package taskaccessrequest

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Keys of the cache's indexes over requests.
const (
	// IndexRequester finds a person's requests by username.
	IndexRequester = "spec.requester.username"
	// IndexUID finds a request by its UID.
	IndexUID = "metadata.uid"
)

// SetupIndexes adds this package's indexes to the cache, on every replica.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for key, value := range map[string]func(*v1alpha1.TaskAccessRequest) string{
		IndexRequester: func(r *v1alpha1.TaskAccessRequest) string { return r.Spec.Requester.Username },
		IndexUID:       func(r *v1alpha1.TaskAccessRequest) string { return string(r.UID) },
	} {
		if err := indexer.IndexField(ctx, &v1alpha1.TaskAccessRequest{}, key, func(object client.Object) []string {
			return []string{value(object.(*v1alpha1.TaskAccessRequest))}
		}); err != nil {
			return err
		}
	}
	return nil
}

// SetupWithManager registers the reconciler; workers bounds the requests that it
// works on at once.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.TaskAccessRequest{}).
		Owns(&v1alpha1.ApprovalReview{}, builder.MatchEveryOwner).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(requestOfPod)).
		Watches(&v1alpha1.AccessPolicy{}, handler.EnqueueRequestsFromMapFunc(r.openIn)).
		Watches(&v1alpha1.AccessTarget{}, handler.EnqueueRequestsFromMapFunc(r.openIn)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](5*time.Millisecond, longestRetry),
		}).
		Complete(r)
}

// longestRetry is how long a target that is back may wait for its teardown.
const longestRetry = 30 * time.Second

// requestOfPod finds the request of a proxy by its labels: owner references do not
// cross namespaces.
func requestOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	labels := pod.GetLabels()
	if labels[v1alpha1.LabelRequestUID] == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: labels[v1alpha1.LabelRequestNamespace], Name: labels[v1alpha1.LabelRequestName],
	}}}
}

// openIn finds the requests of a namespace that are not over.
func (r *Reconciler) openIn(ctx context.Context, object client.Object) []reconcile.Request {
	list := &v1alpha1.TaskAccessRequestList{}
	if err := r.List(ctx, list, client.InNamespace(object.GetNamespace())); err != nil {
		return nil
	}
	requests := []reconcile.Request{}
	for _, request := range list.Items {
		if request.Status.ClosedAt == nil {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&request)})
		}
	}
	return requests
}
