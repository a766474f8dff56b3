// Package approval counts the decisions of a review. It is pure: time and
// identities are parameters, and the same input always gives the same count.
package approval

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Input is everything that a count depends on.
type Input struct {
	Question  v1alpha1.Question
	Decisions []v1alpha1.Decision
	// Latched and Outcome are what the review's status says already.
	Latched []v1alpha1.LatchedDecision
	Outcome v1alpha1.Outcome
	// Authorised is the authoriser's answer for each reviewer whose decision is
	// not latched yet. Who is not in it is Unknown.
	Authorised map[string]Authorisation
	// Withdrawn is why the question no longer stands; empty while it does.
	Withdrawn string
	// Now is the manager's clock.
	Now        time.Time
	Identities Identities
}

// Authorisation says whether a reviewer has the verb `review` on the policy.
type Authorisation int

// The answers. Unknown, a look-up that failed, holds: the decision is neither
// latched nor counted, and an unknown Deny keeps the review from approval.
const (
	Unknown Authorisation = iota
	Allowed
	Refused
)

// Result is the count.
type Result struct {
	// Outcome is empty while the review is pending.
	Outcome v1alpha1.Outcome
	// Latched are the decisions seen so far, in the order in which they were.
	Latched []v1alpha1.LatchedDecision
	// Missing says in words which seats are, or stayed, empty: "1 of dba".
	Missing []string
	// Message says in one line how the review stands.
	Message string
	// At is the time of the count, in whole seconds as a status keeps it.
	At time.Time
}

// Count counts the decisions. An outcome that was reached is terminal; before
// that, in this order: a withdrawn question, the deadline, one eligible Deny,
// a question that its policy approved by itself, every seat filled.
func Count(in Input) Result {
	if in.Outcome != "" {
		return Result{Outcome: in.Outcome, Latched: in.Latched, Message: "decided: " + string(in.Outcome), At: clock(in)}
	}
	in.Now = clock(in)
	votes, held := latch(in)
	people := group(in, votes)
	seated := fill(in.Question.Requirements, people)
	result := Result{Latched: describe(votes, people, seated), Missing: seated.missing(), At: in.Now}

	deadline := in.Question.ExpiresAt.Time
	denial, unknownDeny := denials(people)
	switch {
	case in.Withdrawn != "":
		result.Outcome, result.Message = v1alpha1.OutcomeWithdrawn, in.Withdrawn
	case !in.Now.Before(deadline):
		result.Outcome = v1alpha1.OutcomeExpired
		result.Message = fmt.Sprintf("still needed %s at %s", strings.Join(result.Missing, ", "), deadline.UTC().Format(time.RFC3339))
	case denial != "":
		result.Outcome, result.Message = v1alpha1.OutcomeDenied, denial
	case in.Question.AutoApproved != "" && !unknownDeny:
		result.Outcome, result.Missing = v1alpha1.OutcomeApproved, nil
		result.Message = "approved by the policy itself, autoApprove: " + in.Question.AutoApproved
	case seated.complete() && !unknownDeny:
		result.Outcome, result.Message = v1alpha1.OutcomeApproved, seated.words(people)
	default:
		result.Message = pending(result.Missing, held)
	}
	return result
}

// clock never runs backwards across leaders: a latch that one of them wrote is
// proof that its time has been. Whole seconds, so that what is decided here is
// what a reader of the status would decide.
func clock(in Input) time.Time {
	now := in.Now.Truncate(time.Second)
	for _, l := range in.Latched {
		if l.At.After(now) {
			now = l.At.Time
		}
	}
	return now
}
