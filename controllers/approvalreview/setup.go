package approvalreview

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// SetupWithManager watches reviews, and what their questions are bound to.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("approvalreview").
		For(&v1alpha1.ApprovalReview{}).
		Watches(&v1alpha1.TaskAccessRequest{}, r.reviewsOf(func(q v1alpha1.Question) string { return q.Subject.Request.Name })).
		Watches(&v1alpha1.AccessPolicy{}, r.reviewsOf(func(q v1alpha1.Question) string { return q.Policy.Name })).
		Watches(&v1alpha1.AccessTarget{}, r.reviewsOf(func(q v1alpha1.Question) string { return q.Target.Name })).
		// One authoriser that is slow must not keep other reviews waiting.
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up approvalreview: %w", err)
	}
	return nil
}

// reviewsOf finds the pending reviews whose question names an object.
func (r *Reconciler) reviewsOf(named func(v1alpha1.Question) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		list := &v1alpha1.ApprovalReviewList{}
		if err := r.List(ctx, list, client.InNamespace(object.GetNamespace())); err != nil {
			log.FromContext(ctx).Error(err, "List reviews", "namespace", object.GetNamespace())
			return nil
		}
		var out []reconcile.Request
		for _, review := range list.Items {
			if review.Status.Outcome == "" && named(review.Spec.Question) == object.GetName() {
				out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&review)})
			}
		}
		return out
	})
}
