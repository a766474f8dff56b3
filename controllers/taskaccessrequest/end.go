package taskaccessrequest

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/approval"
	"github.com/sallyport/sallyport/internal/digest"
)

// end latches why the request is over, before anything is torn down: from then on
// no replica hands out its grant, and proxies end its sessions.
func (r *Reconciler) end(ctx context.Context, s *scope) (outcome, error) {
	if s.status.Ended != nil {
		return next, nil
	}
	ended := ending(s)
	if ended == nil {
		return next, nil
	}
	if ended.Reason == v1alpha1.ReasonVoid {
		// An end is final, and a cache may be behind what this very manager wrote.
		seen, err := look(ctx, r.Live, s.request)
		if err != nil {
			return stop, err
		}
		s.review, s.policy, s.target = seen.review, seen.policy, seen.target
		if ended = ending(s); ended == nil {
			return again(50 * time.Millisecond), nil
		}
	}
	s.status.Ended = ended
	s.state(v1alpha1.ReasonClosing, ended.Message)
	return next, r.writeStatus(ctx, s)
}

// ending is why a request is over, or nil while it is not.
func ending(s *scope) *v1alpha1.Ended {
	over := func(reason, format string, args ...any) *v1alpha1.Ended {
		return &v1alpha1.Ended{Reason: reason, Message: wording.Fit(fmt.Sprintf(format, args...), wording.Condition), At: metav1.NewTime(s.now)}
	}
	status := s.request.Status
	switch {
	case !s.request.DeletionTimestamp.IsZero():
		return over(v1alpha1.ReasonClosed, "the request was deleted")
	case s.request.Spec.State == v1alpha1.StateClosed:
		return over(v1alpha1.ReasonClosed, "the request was closed")
	case status.Review != "" && s.review == nil:
		return over(v1alpha1.ReasonVoid, "review %s vanished", status.Review)
	case s.review == nil:
		return nil
	}
	if err := stands(s.review.Spec.Question, s.request, s.policy, s.target); err != nil {
		return over(v1alpha1.ReasonVoid, "%v", err)
	}
	switch s.review.Status.Outcome {
	case v1alpha1.OutcomeDenied:
		return over(v1alpha1.ReasonDenied, "denied by %s", denial(s.review))
	case v1alpha1.OutcomeExpired:
		return over(v1alpha1.ReasonExpired, "the review expired: %s", strings.Join(s.review.Status.Missing, ", "))
	case v1alpha1.OutcomeWithdrawn:
		return over(v1alpha1.ReasonVoid, "review %s was withdrawn", s.review.Name)
	case v1alpha1.OutcomeApproved:
		if status.GrantedAt == nil && lapsed(s.review, s.now) {
			return over(v1alpha1.ReasonExpired, "the approval lapsed before anything could be granted")
		}
	}
	if expired(status, s.now) {
		return over(v1alpha1.ReasonExpired, "the task's time is over")
	}
	return nil
}

// approvalHolds is how long an approval of the last minute waits for its grant.
const approvalHolds = 5 * time.Minute

// lapsed says whether an approval is too old to be granted on. Reviewers said yes to
// access now: neither a full quota nor a broken target keeps their yes for later.
func lapsed(review *v1alpha1.ApprovalReview, now time.Time) bool {
	until := review.Spec.Question.ExpiresAt.Time
	if decided := review.Status.DecidedAt; decided != nil && decided.Add(approvalHolds).After(until) {
		until = decided.Add(approvalHolds)
	}
	return !now.Before(until)
}

// expired says whether a granted task's time is over.
func expired(status v1alpha1.TaskAccessRequestStatus, now time.Time) bool {
	return status.GrantedAt != nil && status.ExpiresAt != nil && !now.Before(status.ExpiresAt.Time)
}

// stands says whether the question that the reviewers saw is still the question.
func stands(
	question v1alpha1.Question, request *v1alpha1.TaskAccessRequest,
	policy *v1alpha1.AccessPolicy, target *v1alpha1.AccessTarget,
) error {
	var boundPolicy, boundTarget v1alpha1.Bound
	if policy != nil {
		boundPolicy = digest.BindPolicy(policy)
	}
	if target != nil {
		boundTarget = digest.BindTarget(target)
	}
	return approval.Valid(question, digest.BindRequest(request), boundPolicy, boundTarget)
}

// denial is who denied, and in which words.
func denial(review *v1alpha1.ApprovalReview) string {
	messages := map[string]string{}
	for _, decision := range review.Spec.Decisions {
		messages[decision.Reviewer] = decision.Message
	}
	for _, latched := range review.Status.Latched {
		if latched.Counted && latched.Verdict == v1alpha1.VerdictDeny {
			return strings.TrimSuffix(latched.Reviewer+": "+messages[latched.Reviewer], ": ")
		}
	}
	return "a reviewer"
}
