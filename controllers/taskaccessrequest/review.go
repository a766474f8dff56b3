package taskaccessrequest

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/policy"
)

// reviewName is fixed by the request, so that a manager that died between making
// the review and writing so finds it again.
func reviewName(request *v1alpha1.TaskAccessRequest) string {
	return request.Name + "-" + strings.SplitN(string(request.UID), "-", 2)[0]
}

// openReview puts the question, which latches the match with its digests.
func (r *Reconciler) openReview(ctx context.Context, s *scope) (outcome, error) {
	if s.review == nil {
		question, err := ask(s)
		if err != nil {
			return s.unmatched(v1alpha1.ReasonInvalid, err.Error())
		}
		s.review = newReview(s.request, reviewName(s.request), *question)
		err = r.Create(ctx, s.review)
		if apierrors.IsAlreadyExists(err) {
			// The cache is behind; the next pass reads the review that is there.
			return again(50 * time.Millisecond), nil
		}
		if err != nil {
			return stop, fmt.Errorf("open review: %w", err)
		}
	}
	question := s.review.Spec.Question
	s.status.Review = s.review.Name
	s.status.Policy, s.status.Target = new(question.Policy), new(question.Target)
	s.status.RequestDigest = question.Subject.Request.Digest
	if s.status.GrantedAt == nil {
		s.status.ExpiresAt = new(question.ExpiresAt)
	}
	return next, nil
}

// newReview is a review of a request that nobody has decided about.
func newReview(request *v1alpha1.TaskAccessRequest, name string, question v1alpha1.Question) *v1alpha1.ApprovalReview {
	return &v1alpha1.ApprovalReview{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: request.Namespace,
			Labels: map[string]string{v1alpha1.LabelRequestUID: string(request.UID), v1alpha1.LabelRequestName: request.Name},
			// Not a controller reference: deleting the request must not wait for the review.
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "TaskAccessRequest",
				Name: request.Name, UID: request.UID,
			}},
		},
		Spec: v1alpha1.ApprovalReviewSpec{Question: question, Decisions: []v1alpha1.Decision{}},
	}
}

// ask is the question about a request, with everything copied that an answer
// depends on.
func ask(s *scope) (*v1alpha1.Question, error) {
	spec := s.request.Spec
	granted, err := policy.Narrow(s.policy.Spec.Grant, spec.Grant)
	if err != nil {
		return nil, err
	}
	compiled, err := policy.Compile(s.policy.Name, s.policy.Spec)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", s.policy.Name, err)
	}
	question := &v1alpha1.Question{
		Subject:         v1alpha1.Subject{Kind: v1alpha1.SubjectRequest, Request: digest.BindRequest(s.request)},
		Requester:       spec.Requester,
		Task:            spec.Task,
		Reason:          spec.Reason,
		DurationSeconds: spec.DurationSeconds,
		Policy:          digest.BindPolicy(s.policy),
		Target:          digest.BindTarget(s.target),
		Grant:           granted,
		Requirements:    s.policy.Spec.Review.Requirements,
		ExpiresAt:       metav1.NewTime(s.now.Add(time.Duration(s.policy.Spec.Review.ExpiresAfterSeconds) * time.Second)),
	}
	if s.policy.Spec.Review.AutoApprove != "" {
		// A failing expression does not approve: the requirements stand.
		if held, err := compiled.AutoApprove(s.request.Namespace, s.request.Name, spec); err == nil && held {
			question.AutoApproved = s.policy.Spec.Review.AutoApprove
		} else if len(question.Requirements) == 0 {
			return nil, fmt.Errorf("policy %s does not approve this request by itself, and names nobody who could", s.policy.Name)
		}
	}
	return question, nil
}

// approved passes when the review says yes, and says what is missing until then.
func (r *Reconciler) approved(_ context.Context, s *scope) (outcome, error) {
	review := s.review
	if review.Status.Outcome == v1alpha1.OutcomeApproved {
		s.set(v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonReady, approvedBy(review))
		return next, nil
	}
	message := "waits for review " + review.Name
	if missing := strings.Join(review.Status.Missing, ", "); missing != "" {
		message += ": " + missing
	}
	s.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonAwaitingReview, message)
	s.state(v1alpha1.ReasonAwaitingReview, message)
	return again(review.Spec.Question.ExpiresAt.Sub(s.now) + time.Second), nil
}

// approvedBy names who said yes.
func approvedBy(review *v1alpha1.ApprovalReview) string {
	if review.Spec.Question.AutoApproved != "" {
		return "approved by the policy's autoApprove"
	}
	names := []string{}
	for _, latched := range review.Status.Latched {
		if latched.Counted && latched.Verdict == v1alpha1.VerdictApprove {
			names = append(names, latched.Reviewer+" ("+latched.Seat+")")
		}
	}
	return "approved by " + strings.Join(names, ", ")
}
