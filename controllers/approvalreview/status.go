package approvalreview

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
)

const fieldOwner = "sallyport-manager"

// pending is the reason of Ready while a review has no outcome.
const pending = v1alpha1.ReasonPending

// draft is the status that follows from a count.
func draft(s *scope) v1alpha1.ApprovalReviewStatus {
	status := *s.review.Status.DeepCopy()
	status.ObservedGeneration = s.review.Generation
	status.Latched, status.Missing = s.result.Latched, s.result.Missing
	reason, ready := pending, metav1.ConditionFalse
	if s.result.Outcome != "" {
		reason = string(s.result.Outcome)
		status.Outcome, status.DecidedAt = s.result.Outcome, &metav1.Time{Time: s.result.At}
	}
	if s.result.Outcome == v1alpha1.OutcomeApproved {
		ready = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: s.result.Message,
		ObservedGeneration: s.review.Generation, LastTransitionTime: metav1.NewTime(s.result.At),
	})
	return status
}

// writeStatus applies the draft if it differs from what was read. It carries the
// resource version that was read: of two leaders that decide, or of a reviewer and
// a deadline that race, one is told of the other.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	before, status := s.review.Status, draft(s)
	if equality.Semantic.DeepEqual(before, status) {
		return nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": content}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ApprovalReview"))
	object.SetNamespace(s.review.Namespace)
	object.SetName(s.review.Name)
	object.SetUID(s.review.UID)
	object.SetResourceVersion(s.review.ResourceVersion)
	err = r.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldOwner), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	r.announce(s, before.Conditions, status.Conditions)
	return nil
}

// announce says in an event that the state is new; its reason is the condition's.
func (r *Reconciler) announce(s *scope, before, after []metav1.Condition) {
	was, is := meta.FindStatusCondition(before, v1alpha1.ConditionReady), meta.FindStatusCondition(after, v1alpha1.ConditionReady)
	if was != nil && was.Reason == is.Reason {
		return
	}
	kind := corev1.EventTypeNormal
	if s.result.Outcome != "" && s.result.Outcome != v1alpha1.OutcomeApproved {
		kind = corev1.EventTypeWarning
	}
	var related runtime.Object
	if s.request != nil {
		related = s.request
	}
	r.Events.Eventf(s.review, related, kind, is.Reason, "Count", "%s", wording.Fit(is.Message, wording.Event))
}
