package digest

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func decided() *v1alpha1.ApprovalReview {
	at := metav1.NewTime(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	review := &v1alpha1.ApprovalReview{ObjectMeta: metav1.ObjectMeta{Name: "pay-1423", UID: "u"}}
	review.Spec.Question.Reason = "why"
	review.Spec.Decisions = []v1alpha1.Decision{{Reviewer: "alice", Verdict: v1alpha1.VerdictApprove, Message: "yes"}}
	review.Status = v1alpha1.ApprovalReviewStatus{
		Outcome: v1alpha1.OutcomeApproved, DecidedAt: &at,
		Latched: []v1alpha1.LatchedDecision{{Reviewer: "alice", At: at, Verdict: v1alpha1.VerdictApprove, Counted: true, Seat: "dba"}},
	}
	return review
}

func TestREV2_WhatComesAfterAnOutcomeDoesNotChangeItsDigest(t *testing.T) {
	t.Parallel()
	review := decided()
	review.Spec.Decisions = append(review.Spec.Decisions, v1alpha1.Decision{Reviewer: "zoe", Verdict: v1alpha1.VerdictDeny})
	review.Status.Conditions = []metav1.Condition{{Type: "Ready"}}
	review.ResourceVersion = "7"
	if Review(review) != Review(decided()) {
		t.Error("the digest changed")
	}
}

func TestREV2_WhatAnOutcomeFollowsFromChangesItsDigest(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.ApprovalReview){
		"question": func(r *v1alpha1.ApprovalReview) { r.Spec.Question.Reason = "because" },
		"message":  func(r *v1alpha1.ApprovalReview) { r.Spec.Decisions[0].Message = "no" },
		"reviewer": func(r *v1alpha1.ApprovalReview) { r.Spec.Decisions[0].Reviewer = "bob" },
		"groups":   func(r *v1alpha1.ApprovalReview) { r.Spec.Decisions[0].Groups = []string{"dbas"} },
		"outcome":  func(r *v1alpha1.ApprovalReview) { r.Status.Outcome = v1alpha1.OutcomeDenied },
		"time":     func(r *v1alpha1.ApprovalReview) { r.Status.DecidedAt = nil },
		"seat":     func(r *v1alpha1.ApprovalReview) { r.Status.Latched[0].Seat = "owner" },
		"uid":      func(r *v1alpha1.ApprovalReview) { r.UID = "v" },
	} {
		review := decided()
		change(review)
		if Review(review) == Review(decided()) {
			t.Errorf("another %s has the same digest", name)
		}
	}
}
