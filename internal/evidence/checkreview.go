package evidence

import (
	"encoding/json"
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/approval"
)

// reviews counts every review anew.
func (c *checker) reviews() {
	d := c.documents
	if name := d.Request.Status.Review; name != "" && d.review() == nil {
		c.add(Gap, "review "+name, "it is not in the bundle")
	}
	for i := range d.Reviews {
		review := &d.Reviews[i]
		level, text := d.recount(review)
		c.add(level, "review "+review.Name, "%s", text)
	}
}

// recount says whether a review's outcome follows from its question and its decisions.
func (b *documents) recount(review *v1alpha1.ApprovalReview) (Level, string) {
	q, status := review.Spec.Question, review.Status
	if text := b.requirements(q); text != "" {
		return Failed, text
	}
	decisions, text := latched(review)
	if text != "" {
		return Failed, text
	}
	switch {
	case status.Outcome == "":
		return Gap, "it has no outcome yet"
	case status.DecidedAt == nil:
		return Failed, "it has an outcome, and no time of it"
	case status.Outcome == v1alpha1.OutcomeWithdrawn:
		return OK, "withdrawn at " + at(status.DecidedAt) + ", by the manager's word"
	}
	result := approval.Count(approval.Input{
		Question: q, Decisions: decisions, Latched: status.Latched, Now: status.DecidedAt.Time,
	})
	if result.Outcome != status.Outcome {
		return Failed, "its outcome is " + string(status.Outcome) + ", and its decisions make it " + orPending(result) + ": " + result.Message
	}
	for _, l := range status.Latched {
		i := slices.IndexFunc(result.Latched, func(r v1alpha1.LatchedDecision) bool { return r.Reviewer == l.Reviewer })
		if l.Counted && (i < 0 || !result.Latched[i].Counted) {
			return Failed, "the decision of " + l.Reviewer + " counts in its status, and must not"
		}
	}
	return OK, string(status.Outcome) + " at " + at(status.DecidedAt) + ", as its decisions and requirements say: " + result.Message
}

func orPending(r approval.Result) string {
	if r.Outcome == "" {
		return "pending"
	}
	return string(r.Outcome)
}

// latched are the decisions that the manager has seen; those after the outcome it never
// looks at. The text says what cannot be.
func latched(review *v1alpha1.ApprovalReview) (decisions []v1alpha1.Decision, wrong string) {
	for _, l := range review.Status.Latched {
		i := slices.IndexFunc(review.Spec.Decisions, func(d v1alpha1.Decision) bool { return d.Reviewer == l.Reviewer })
		if i < 0 {
			return nil, "its status counts a decision of " + l.Reviewer + ", who made none"
		}
		d := review.Spec.Decisions[i]
		if d.Verdict != l.Verdict {
			return nil, "its status counts another decision of " + l.Reviewer + " than was made"
		}
		decisions = append(decisions, d)
	}
	return decisions, ""
}

// requirements says where a question asks for others than the policy does; nothing where
// the text that reviewers saw is not here.
func (b *documents) requirements(q v1alpha1.Question) string {
	policy := b.reviewed()
	if policy == nil {
		return ""
	}
	spec := policy.Spec
	want := spec.Review.Requirements
	if q.Subject.Kind == v1alpha1.SubjectStatement && len(spec.Hold.Requirements) > 0 {
		want = spec.Hold.Requirements
	}
	if !same(want, q.Requirements) {
		return "it does not ask for the reviewers that the policy asks for"
	}
	if q.AutoApproved != "" && q.AutoApproved != spec.Review.AutoApprove {
		return "it was approved by an expression that is not the policy's"
	}
	if !same(q.Grant, spec.Grant) && !same(q.Grant, narrowed(b.Request.Spec.Grant)) {
		return "it grants what is neither the policy's grant nor what the request makes of it"
	}
	return ""
}

// narrowed is a request's grant as its question shows it: every schema is named.
func narrowed(grant *v1alpha1.Grant) *v1alpha1.Grant {
	grant = grant.DeepCopy()
	if grant == nil || grant.Postgres == nil {
		return grant
	}
	for i := range grant.Postgres.Relations {
		if grant.Postgres.Relations[i].Schema == "" {
			grant.Postgres.Relations[i].Schema = "public"
		}
	}
	return grant
}

// same compares as JSON does: nothing and nothing at all are the same.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	empty := func(text []byte) bool { return string(text) == "null" || string(text) == "[]" }
	return errX == nil && errY == nil && (string(x) == string(y) || empty(x) && empty(y))
}
