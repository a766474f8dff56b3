package lifecycle

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
)

// Review is what happened to a review from old to now; old is nil for one that was not
// seen before. A review of kind Statement is told as what became of the operation.
func Review(old, now *v1alpha1.ApprovalReview) []audit.Event {
	return news(reviewFacts(old), reviewFacts(now))
}

func reviewFacts(review *v1alpha1.ApprovalReview) []audit.Event {
	if review == nil {
		return nil
	}
	about := review.Spec.Question.Subject
	f := &facts{subject: audit.Subject{Namespace: review.Namespace, Request: about.Request.Name, UID: about.Request.UID}}
	if about.Held != nil {
		f.add(audit.OperationHeld, review.CreationTimestamp.Time, operation(review), string(review.UID))
	} else {
		f.add(audit.ReviewOpened, review.CreationTimestamp.Time, opened(review), string(review.UID))
	}
	f.decisions(review)
	f.outcome(review)
	return f.events
}

func opened(review *v1alpha1.ApprovalReview) audit.Opened {
	question := review.Spec.Question
	told := audit.Opened{
		Review: review.Name, Requester: question.Requester.Username, Task: question.Task.ID,
		Policy: bound(question.Policy), Target: bound(question.Target),
		AutoApproved: question.AutoApproved != "", ExpiresAt: question.ExpiresAt.UTC(),
	}
	for _, requirement := range question.Requirements {
		told.Requirements = append(told.Requirements, audit.Requirement{Name: requirement.Name, Count: max(requirement.Count, 1)})
	}
	return told
}

// operation is a held one, as its reviewers see it.
func operation(review *v1alpha1.ApprovalReview) audit.Operation {
	held := review.Spec.Question.Subject.Held
	return audit.Operation{
		Operation: held.ID, Point: string(held.Point), Kind: held.Kind, Rule: held.Rule, Text: held.Text, Digest: held.Digest,
		Reads: held.Reads, Writes: held.Writes, Review: review.Name, Message: held.Message, By: "Policy",
	}
}

// decisions are those that the manager has counted, or said why not.
func (f *facts) decisions(review *v1alpha1.ApprovalReview) {
	messages := map[string]string{}
	for _, decision := range review.Spec.Decisions {
		messages[decision.Reviewer] = decision.Message
	}
	for _, latched := range review.Status.Latched {
		told := audit.Decision{
			Review: review.Name, Reviewer: latched.Reviewer, Verdict: string(latched.Verdict),
			Counted: latched.Counted, Seat: latched.Seat, Why: latched.Why, Message: messages[latched.Reviewer],
		}
		if held := review.Spec.Question.Subject.Held; held != nil {
			told.Operation = held.ID
		}
		f.add(audit.ReviewDecision, latched.At.Time, told, string(review.UID), latched.Reviewer)
	}
}

func (f *facts) outcome(review *v1alpha1.ApprovalReview) {
	type pair struct{ review, operation audit.Type }
	types, ok := map[v1alpha1.Outcome]pair{
		v1alpha1.OutcomeApproved:  {audit.ReviewApproved, audit.OperationApproved},
		v1alpha1.OutcomeDenied:    {audit.ReviewDenied, audit.OperationDenied},
		v1alpha1.OutcomeExpired:   {audit.ReviewExpired, audit.OperationExpired},
		v1alpha1.OutcomeWithdrawn: {audit.ReviewWithdrawn, audit.OperationWithdrawn},
	}[review.Status.Outcome]
	if !ok {
		return
	}
	at, message := review.CreationTimestamp.Time, ""
	if decided := review.Status.DecidedAt; decided != nil {
		at = decided.Time
	}
	if ready := meta.FindStatusCondition(review.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		message = ready.Message
	}
	if held := review.Spec.Question.Subject.Held; held != nil {
		f.add(types.operation, at, audit.Operation{
			Operation: held.ID, Point: string(held.Point), Kind: held.Kind, Rule: held.Rule, Digest: held.Digest,
			Review: review.Name, Message: message, By: decider(review.Status.Outcome),
		}, string(review.UID))
		return
	}
	f.add(types.review, at, audit.Outcome{Review: review.Name, Message: message}, string(review.UID))
}

// decider is who ended the review of an operation.
func decider(outcome v1alpha1.Outcome) string {
	switch outcome {
	case v1alpha1.OutcomeApproved, v1alpha1.OutcomeDenied:
		return "Reviewers"
	case v1alpha1.OutcomeExpired:
		return "Deadline"
	case v1alpha1.OutcomeWithdrawn:
		return "Client"
	}
	return ""
}

// over says since when nothing more happens to a request or review.
func over(object any) (time.Time, bool) {
	switch object := object.(type) {
	case *v1alpha1.TaskAccessRequest:
		if closed := object.Status.ClosedAt; closed != nil {
			return closed.Time, true
		}
	case *v1alpha1.ApprovalReview:
		if decided := object.Status.DecidedAt; decided != nil {
			return decided.Time, true
		}
	}
	return time.Time{}, false
}
