package evidence

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// total is the contents of all sessions together.
func total(facts Facts) Contents {
	sum := Contents{Verdicts: map[string]int64{}, Masked: map[string]int64{}}
	for _, s := range facts.Sessions {
		c := s.Contents
		if c == nil {
			continue
		}
		sum.Operations += c.Operations
		sum.Failed += c.Failed
		sum.Rows += c.Rows
		sum.Bytes += c.Bytes
		sum.MoreHeld += c.MoreHeld
		sum.MoreRefused += c.MoreRefused
		sum.Held = append(sum.Held, c.Held...)
		for effect, n := range c.Verdicts {
			sum.Verdicts[effect] += n
		}
		for why, n := range c.Masked {
			sum.Masked[why] += n
		}
	}
	return sum
}

func sessions(p *page, facts Facts) {
	p.heading(2, "Sessions")
	if len(facts.Sessions) == 0 {
		p.say("There is no recording: nobody has connected, or it was removed.")
		return
	}
	var rows [][]string
	for _, s := range facts.Sessions {
		c := s.Contents
		if c == nil {
			rows = append(rows, []string{s.Session, "encrypted: not read for this report", "", "", "", ""})
			continue
		}
		end := c.Ended
		if !c.Complete {
			end = c.Problem
		}
		rows = append(rows, []string{
			s.Session, fmt.Sprintf("%s from %s, known by %s", c.User, c.Remote, c.Proof), stamp(c.Began) + " to " + stamp(c.Last),
			counts(c.Verdicts), fmt.Sprintf("%d, %d bytes", c.Rows, c.Bytes), end,
		})
	}
	p.table([]string{"Session", "Who", "When", "Operations", "Rows", "End"}, rows)
}

// heldOperations are those that waited for reviewers, by the recordings and by the
// reviews.
func (b *documents) heldOperations(p *page, facts Facts) {
	p.heading(2, "Held operations")
	shown := map[string]bool{}
	for _, s := range facts.Sessions {
		if s.Contents == nil {
			continue
		}
		for _, h := range s.Contents.Held {
			outcome := h.Outcome
			if outcome == "" {
				outcome = "no outcome recorded"
			}
			p.heading(3, fmt.Sprintf("Session %s, operation %d, at %s: %s", s.Session, h.Operation, stamp(h.Time), outcome))
			if h.Text != "" {
				p.code(h.Text)
			}
			if review := b.held(h.Review); review != nil && !shown[h.Review] {
				shown[h.Review] = true
				describeHeld(p, review)
			} else if h.Review != "" {
				p.say("Review %s is not in this bundle: of many, the manager keeps the newest.", h.Review)
			}
		}
		if s.Contents.MoreHeld > 0 {
			p.say("Session %s held %d more.", s.Session, s.Contents.MoreHeld)
		}
	}
	for i := range b.Reviews {
		if held := b.Reviews[i].Spec.Question.Subject.Held; held != nil && !shown[b.Reviews[i].Name] {
			shown[b.Reviews[i].Name] = true
			p.heading(3, "Operation "+held.ID+", not in a recording that was read")
			describeHeld(p, &b.Reviews[i])
		}
	}
	if len(shown) == 0 && len(total(facts).Held) == 0 {
		p.say("None.")
	}
}

func describeHeld(p *page, review *v1alpha1.ApprovalReview) {
	held := review.Spec.Question.Subject.Held
	p.say("Held by rule %s, as reviewers saw it:", held.Rule)
	p.code(held.Text)
	var did []string
	for _, effect := range held.Effects {
		did = append(did, fmt.Sprintf("%s: %d inserted, %d updated, %d deleted", effect.Relation, effect.Inserted, effect.Updated, effect.Deleted))
	}
	if len(did) > 0 {
		p.list(did...)
	}
	describeReview(p, review)
}

func refused(p *page, facts Facts) {
	p.heading(2, "Refused operations")
	var rows [][]string
	more := int64(0)
	for _, s := range facts.Sessions {
		if s.Contents == nil {
			continue
		}
		for _, r := range s.Contents.Refused {
			rows = append(rows, []string{stamp(r.Time), fmt.Sprintf("%s, %d", s.Session, r.Operation), r.Text, r.Rule, r.Message})
		}
		more += s.Contents.MoreRefused
	}
	if len(rows) == 0 {
		p.say("None.")
		return
	}
	p.table([]string{"When", "Session, operation", "Text", "Rule", "Message"}, rows)
	if more > 0 {
		p.say("%d more are in the recordings.", more)
	}
}

func masks(p *page, facts Facts) {
	p.heading(2, "Masked values")
	masked := total(facts).Masked
	if len(masked) == 0 {
		p.say("None.")
		return
	}
	var rows [][]string
	for _, why := range slices.Sorted(maps.Keys(masked)) {
		rows = append(rows, []string{why, fmt.Sprint(masked[why])})
	}
	p.table([]string{"Why", "Values"}, rows)
}

// recordings are how far they are signed, and what the request's status says of them.
func (b *documents) recordings(p *page, facts Facts) {
	p.heading(2, "Recordings")
	status := b.Request.Status.Recording
	if status != nil && status.BestEffort {
		p.say("The policy let sessions go on where they could not be recorded (required: false).")
	}
	if status != nil && status.Lost != "" {
		p.say("Lost: %s", status.Lost)
	}
	heads := map[string]v1alpha1.RecordingHead{}
	if status != nil {
		for _, head := range status.Head {
			heads[head.Session] = head
		}
	}
	var rows [][]string
	for _, s := range facts.Sessions {
		r := s.Recorded
		signed := "not signed"
		if r.SignedSegment > 0 {
			signed = fmt.Sprintf("segments 1 to %d of %d, events 1 to %d", r.SignedSegment, r.Segments, r.SignedEvent)
		}
		reported := "none"
		if head, ok := heads[s.Session]; ok {
			reported = fmt.Sprintf("%s, %s", count(head.Sequence, "event"), head.Hash)
			delete(heads, s.Session)
		}
		rows = append(rows, []string{s.Session, signed, strings.Join(r.Keys, ", "), reported})
	}
	for _, session := range slices.Sorted(maps.Keys(heads)) {
		rows = append(rows, []string{session, "the recording is not in this bundle", "", count(heads[session].Sequence, "event")})
	}
	if len(rows) > 0 {
		p.table([]string{"Session", "Signed", "Keys", "Head as reported"}, rows)
	}
}

// course is the conditions and events, in the order of time.
func (b *documents) course(p *page) {
	p.heading(2, "What the cluster says")
	var rows [][]string
	for _, c := range b.Request.Status.Conditions {
		rows = append(rows, []string{at(&c.LastTransitionTime), "condition " + c.Type, string(c.Status) + ", " + c.Reason, c.Message})
	}
	for _, e := range b.Events {
		rows = append(rows, []string{stamp(e.Time), "event of " + e.Object, e.Reason, e.Message})
	}
	slices.SortStableFunc(rows, func(x, y []string) int { return strings.Compare(x[0], y[0]) })
	if len(rows) == 0 {
		p.say("Nothing.")
		return
	}
	p.table([]string{"When", "What", "", "Message"}, rows)
}

func (b *documents) teardown(p *page) {
	p.heading(2, "Teardown")
	t := b.Request.Status.Teardown
	switch {
	case t == nil:
		p.say("Not begun.")
	case t.Proved:
		p.say("Proved at %s: %s", at(t.CheckedAt), t.Message)
	default:
		p.say("Not proved (%s): %s", at(t.CheckedAt), t.Message)
	}
}
