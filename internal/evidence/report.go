package evidence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// describe is the report, for people: what was asked, by whom, what came of it. It says
// the same of the same bundle, always.
func (b *documents) describe(facts Facts) page {
	r := b.Request
	var p page
	p.heading(1, "Evidence: task "+r.Spec.Task.ID+", request "+r.Namespace+"/"+r.Name)
	p.say("%s", b.outcome(facts))
	p.table([]string{"", ""}, b.summary(facts))
	b.trust(&p, facts)
	if len(b.Notes) > 0 {
		p.heading(2, "What is missing here")
		p.list(b.Notes...)
	}
	b.decided(&p)
	b.granted(&p)
	b.enforcement(&p, facts)
	sessions(&p, facts)
	b.heldOperations(&p, facts)
	refused(&p, facts)
	masks(&p, facts)
	b.recordings(&p, facts)
	b.course(&p)
	b.teardown(&p)
	b.policy(&p, facts)
	return p
}

// outcome is all of it in a sentence or two.
func (b *documents) outcome(facts Facts) string {
	r := b.Request
	text := fmt.Sprintf("%s asked for access to %s", r.Spec.Requester.Username, r.Spec.Target)
	switch review := b.review(); {
	case r.Status.GrantedAt != nil && review != nil:
		text += fmt.Sprintf(", and had it from %s", at(r.Status.GrantedAt))
	case review != nil && review.Status.Outcome != "":
		text += fmt.Sprintf("; the review's outcome was %s, and nothing was granted", review.Status.Outcome)
	default:
		text += "; nothing was granted"
	}
	if r.Status.Ended != nil {
		text += fmt.Sprintf(" until %s (%s)", at(&r.Status.Ended.At), r.Status.Ended.Reason)
	}
	t := total(facts)
	text += fmt.Sprintf(". %s: %s, %d refused, %d held for review.",
		count(int64(len(facts.Sessions)), "session"), count(t.Operations, "operation"), t.Verdicts[effectDeny], int64(len(t.Held))+t.MoreHeld)
	if teardown := r.Status.Teardown; teardown != nil && teardown.Proved && r.Status.ClosedAt != nil {
		return text + " The target has shown that nothing of it is left."
	}
	return text + " It is not proved that nothing of it is left on the target."
}

func (b *documents) summary(facts Facts) [][]string {
	r, t := b.Request, total(facts)
	rows := [][]string{
		{"Task", r.Spec.Task.ID + " (" + r.Spec.Task.Type + ")"},
		{"Tracker", r.Spec.Task.URL},
		{"Requester", r.Spec.Requester.Username},
		{"Groups", strings.Join(r.Spec.Requester.Groups, ", ")},
		{"Reason", r.Spec.Reason},
		{"Target", r.Spec.Target},
		{"Asked for", fmt.Sprintf("%d seconds", r.Spec.DurationSeconds)},
		{"Asked at", at(&r.CreationTimestamp)},
		{"Granted at", at(r.Status.GrantedAt)},
		{"Expires at", at(r.Status.ExpiresAt)},
		{"Ended", ended(r.Status.Ended)},
		{"Closed at", at(r.Status.ClosedAt)},
		{"Operations", counts(t.Verdicts)},
		{"Target's errors", fmt.Sprint(t.Failed)},
		{"Rows to clients", fmt.Sprint(t.Rows)},
		{"Request", r.Namespace + "/" + r.Name + ", UID " + string(r.UID)},
		{"This bundle", "made at " + stamp(b.Created)},
	}
	return slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
}

// trust says on whose word each part rests.
func (b *documents) trust(p *page, facts Facts) {
	p.heading(2, "What proves what")
	signed := 0
	for _, s := range facts.Sessions {
		if s.Recorded.SignedSegment > 0 {
			signed++
		}
	}
	p.list(
		fmt.Sprintf("Signed: %d of %s. The manager signs segments while they are written, with a key that no proxy holds; each "+
			"segment names the one before. Who has the public key can check that without trusting whoever made this bundle.", signed, count(int64(len(facts.Sessions)), "recording")),
		"Bound by digest: the review names the SHA-256 of the request, the policy and the target that reviewers saw. The texts in this bundle are compared with these.",
		"The API server's word, as it stood when this bundle was made: the review and its decisions, with names that the API server itself has authenticated; conditions, times, counts; and the teardown, of which the operator says what the target has shown it.",
		"Nobody's word: the list of files. It shows what was changed since the bundle was made, to whoever kept that list's own SHA-256.",
	)
}

// decided is who reviewed, and what they said.
func (b *documents) decided(p *page) {
	p.heading(2, "The review")
	review := b.review()
	if review == nil {
		p.say("There is no review of the request in this bundle.")
		return
	}
	describeReview(p, review)
}

func describeReview(p *page, review *v1alpha1.ApprovalReview) {
	q, status := review.Spec.Question, review.Status
	outcome := "no outcome yet"
	if status.Outcome != "" {
		outcome = fmt.Sprintf("%s at %s", status.Outcome, at(status.DecidedAt))
	}
	p.say("Review %s: %s. It was open until %s.", review.Name, outcome, at(&q.ExpiresAt))
	if q.AutoApproved != "" {
		p.say("The policy approved it by itself: %s", q.AutoApproved)
	}
	var needed []string
	for _, requirement := range q.Requirements {
		needed = append(needed, fmt.Sprintf("%d of %s: %s", max(requirement.Count, 1), requirement.Name, mayFill(requirement, q.Task)))
	}
	if len(needed) > 0 {
		p.list(needed...)
	}
	var rows [][]string
	for _, d := range review.Spec.Decisions {
		row := []string{d.Reviewer, string(d.Verdict), "", "not counted: it came after the outcome", d.Message}
		for _, l := range status.Latched {
			if l.Reviewer == d.Reviewer {
				row[2], row[3] = at(&l.At), "as "+l.Seat
				if !l.Counted {
					row[3] = "not counted: " + l.Why
				}
			}
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		p.table([]string{"Reviewer", "Decision", "At", "Counted", "Words"}, rows)
	}
}

func mayFill(r v1alpha1.ReviewRequirement, task v1alpha1.Task) string {
	var who []string
	for _, user := range r.Users {
		who = append(who, "user "+user)
	}
	for _, group := range r.Groups {
		who = append(who, "group "+group)
	}
	if r.FromTask == v1alpha1.FromTaskReviewer {
		who = append(who, "the task's reviewer "+task.Reviewer)
	}
	return strings.Join(who, " or ")
}

func (b *documents) granted(p *page) {
	review := b.review()
	if review == nil {
		return
	}
	p.heading(2, "What was granted")
	if b.Request.Status.GrantedAt == nil {
		p.say("Nothing. This is what reviewers were asked for:")
	}
	if c := b.Request.Status.Credential; c != nil {
		p.say("Credential on the target: %s %s, valid until %s.", c.Type, c.Name, at(c.ValidUntil))
	}
	p.code(yamlOf(review.Spec.Question.Grant))
}

func (b *documents) policy(p *page, facts Facts) {
	p.heading(2, "The policy")
	seen, session := b.recorded(facts, nil)
	if seen != nil && (b.Policy == nil || b.policyChanged) {
		p.say("This text was enforced, as the recording of session %s says, and has the digest that the review is bound to, %s:", session, b.Request.Status.Policy.Digest)
		p.code(yamlOf(seen.Spec))
	}
	switch {
	case b.Policy == nil && seen != nil:
		p.say("The policy itself is not in this bundle.")
		return
	case b.Policy == nil:
		p.say("It is not in this bundle.")
		return
	case b.policyChanged && seen != nil:
		p.say("The policy was changed after the review. This is its text when the bundle was made; what reviewers saw, and what was enforced, stands above.")
	case b.policyChanged:
		p.say("The policy was changed after the review: this is its text when the bundle was made, not the one that reviewers saw.")
	}
	if bound := b.Request.Status.Policy; bound != nil {
		p.say("%s, bound by the review as %s", bound.Name, bound.Digest)
	}
	p.code(yamlOf(b.Policy.Spec))
}

func yamlOf(v any) string {
	text, err := yaml.Marshal(v)
	if err != nil {
		return "(cannot be shown)"
	}
	return string(text)
}

func at(t *metav1.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return stamp(t.Time)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func ended(e *v1alpha1.Ended) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("%s: %s: %s", at(&e.At), e.Reason, e.Message)
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// counts are numbers by name: "Allow 3, Deny 1".
func counts(numbers map[string]int64) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		out = append(out, fmt.Sprintf("%s %d", name, numbers[name]))
	}
	return strings.Join(out, ", ")
}
