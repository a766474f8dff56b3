package approvalreview

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/approval"
	"github.com/sallyport/sallyport/internal/digest"
)

// scope is one pass over one review: what was read, and the count.
type scope struct {
	review *v1alpha1.ApprovalReview
	// request, policy and target that the question names, as they are now, or nil.
	request *v1alpha1.TaskAccessRequest
	policy  *v1alpha1.AccessPolicy
	target  *v1alpha1.AccessTarget
	result  approval.Result
}

// gather reads everything that a count depends on. It returns nil for a review
// that is gone or going.
func gather(ctx context.Context, reader client.Reader, key ctrl.Request) (*scope, error) {
	s := &scope{}
	var err error
	if s.review, err = lookup.Find[v1alpha1.ApprovalReview](ctx, reader, key.Namespace, key.Name); err != nil {
		return nil, err
	}
	if s.review == nil || !s.review.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	q := s.review.Spec.Question
	if s.request, err = lookup.Find[v1alpha1.TaskAccessRequest](ctx, reader, key.Namespace, q.Subject.Request.Name); err != nil {
		return nil, err
	}
	if s.policy, err = lookup.Find[v1alpha1.AccessPolicy](ctx, reader, key.Namespace, q.Policy.Name); err != nil {
		return nil, err
	}
	if s.target, err = lookup.Find[v1alpha1.AccessTarget](ctx, reader, key.Namespace, q.Target.Name); err != nil {
		return nil, err
	}
	return s, nil
}

// held says that the review is about one operation.
func (s *scope) held() bool { return s.review.Spec.Question.Subject.Kind == v1alpha1.SubjectStatement }

func (s *scope) decided() bool { return s.review.Status.Outcome != "" }

// withdrawn is why the question no longer stands; empty while it does.
func (s *scope) withdrawn() string {
	if s.request == nil || string(s.request.UID) != s.review.Spec.Question.Subject.Request.UID {
		return "the request is gone"
	}
	if s.request.Spec.State == v1alpha1.StateClosed || !s.request.DeletionTimestamp.IsZero() {
		return "the request was closed"
	}
	if ended := s.request.Status.Ended; ended != nil {
		return "the request has ended: " + ended.Message
	}
	if s.held() && s.review.Annotations[v1alpha1.AnnotationWithdrawn] != "" {
		return "its client no longer waits: cancelled, or gone"
	}
	var policy, target v1alpha1.Bound
	if s.policy != nil {
		policy = digest.BindPolicy(s.policy)
	}
	if s.target != nil {
		target = digest.BindTarget(s.target)
	}
	if err := approval.Valid(s.review.Spec.Question, digest.BindRequest(s.request), policy, target); err != nil {
		return err.Error()
	}
	return ""
}
