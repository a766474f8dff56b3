package policy

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// A policy may come from a file, which no schema has filled in: 0 is the schema's
// default, here as there.

// HoldTimeout is how long a statement is held before it is denied.
func HoldTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(spec.Hold.TimeoutSeconds, 300)
}

// CommitTimeout is how long a COMMIT is held before its transaction is rolled back.
func CommitTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(spec.Hold.CommitTimeoutSeconds, 60)
}

// LockTimeout is how long a statement of a transaction whose COMMIT will be held may
// wait for a lock.
func LockTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(spec.Hold.LockTimeoutSeconds, 5)
}

// StatementTimeout is how long a statement of such a transaction may run.
func StatementTimeout(spec v1alpha1.AccessPolicySpec) time.Duration {
	return seconds(spec.Hold.StatementTimeoutSeconds, 60)
}

// MaxOpen is how many operations of a task may be held at once.
func MaxOpen(spec v1alpha1.AccessPolicySpec) int { return atLeastOne(spec.Hold.MaxOpen, 4) }

// RowImages is how many changed rows of a relation a held COMMIT shows; 0 is none.
func RowImages(spec v1alpha1.AccessPolicySpec) int { return int(max(0, min(spec.Hold.RowImages, 50))) }

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

func seconds(n, byDefault int32) time.Duration {
	return time.Duration(atLeastOne(n, byDefault)) * time.Second
}

func atLeastOne(n, byDefault int32) int {
	if n < 1 {
		return int(byDefault)
	}
	return int(n)
}
