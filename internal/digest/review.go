package digest

import (
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Review is the digest of what came of a review: its question, its outcome, and the
// decisions that it follows from. Decisions after the outcome, and conditions, are no
// part of it: once there is an outcome it never changes.
func Review(r *v1alpha1.ApprovalReview) string {
	decisions := []v1alpha1.Decision{}
	for _, latched := range r.Status.Latched {
		i := slices.IndexFunc(r.Spec.Decisions, func(d v1alpha1.Decision) bool { return d.Reviewer == latched.Reviewer })
		if i >= 0 {
			decisions = append(decisions, r.Spec.Decisions[i])
		}
	}
	return of("ApprovalReview", r.UID, map[string]any{
		"name": r.Name, "question": r.Spec.Question, "decisions": decisions,
		"outcome": r.Status.Outcome, "decidedAt": r.Status.DecidedAt, "latched": r.Status.Latched,
	})
}
