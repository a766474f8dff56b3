package policy

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// HoldSettings are the policy's, with the schema's defaults for what it leaves out: a
// policy may come from a file, which no schema has filled in.
func HoldSettings(spec v1alpha1.AccessPolicySpec) v1alpha1.HoldPolicy {
	h := spec.Hold
	h.Requirements = HoldRequirements(spec)
	h.TimeoutSeconds = positive(h.TimeoutSeconds, 300)
	h.CommitTimeoutSeconds = positive(h.CommitTimeoutSeconds, 60)
	h.LockTimeoutSeconds = positive(h.LockTimeoutSeconds, 5)
	h.StatementTimeoutSeconds = positive(h.StatementTimeoutSeconds, 60)
	h.MaxOpen = positive(h.MaxOpen, 4)
	h.RowImages = max(0, min(h.RowImages, 50))
	return h
}

func positive(n, byDefault int32) int32 {
	if n < 1 {
		return byDefault
	}
	return n
}

// HoldTimeout is how long a statement is held before it is denied.
func HoldTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(HoldSettings(spec).TimeoutSeconds)
}

// CommitTimeout is how long a COMMIT is held before its transaction is rolled back.
func CommitTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(HoldSettings(spec).CommitTimeoutSeconds)
}

// LockTimeout is how long a statement of a transaction whose COMMIT will be held may
// wait for a lock.
func LockTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(HoldSettings(spec).LockTimeoutSeconds)
}

// StatementTimeout is how long a statement of such a transaction may run.
func StatementTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(HoldSettings(spec).StatementTimeoutSeconds)
}

// MaxOpen is how many operations of a task may be held at once.
func MaxOpen(spec v1alpha1.AccessPolicySpec) int { return int(HoldSettings(spec).MaxOpen) }

// RowImages is how many changed rows of a relation a held COMMIT shows; 0 is none.
func RowImages(spec v1alpha1.AccessPolicySpec) int { return int(HoldSettings(spec).RowImages) }

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// HoldRequirements are who must say yes to a held operation: the policy's own for
// holds, or those of its reviews.
func HoldRequirements(spec v1alpha1.AccessPolicySpec) []v1alpha1.ReviewRequirement {
	if len(spec.Hold.Requirements) > 0 {
		return spec.Hold.Requirements
	}
	return spec.Review.Requirements
}

// Holds says whether a rule of the policy holds operations, so that reviewers must be
// there to answer.
func Holds(spec v1alpha1.AccessPolicySpec) bool {
	return slices.ContainsFunc(spec.Rules, func(r v1alpha1.Rule) bool {
		return r.Effect == v1alpha1.EffectHold || r.Effect == v1alpha1.EffectHoldCommit
	})
}
