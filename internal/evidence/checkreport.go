package evidence

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// held compares the held operations of the recordings with their reviews.
func (c *checker) held(facts Facts) {
	recorded, all := map[string]bool{}, true
	for _, s := range facts.Sessions {
		if s.Contents == nil || !s.Contents.Complete || s.Contents.MoreHeld > 0 {
			all = false
		}
		if s.Contents == nil {
			continue
		}
		for _, h := range s.Contents.Held {
			recorded[h.Review] = true
			c.heldOperation(s.Session, h)
		}
	}
	for i := range c.documents.Reviews {
		review := &c.documents.Reviews[i]
		if review.Spec.Question.Subject.Held == nil || recorded[review.Name] {
			continue
		}
		level, text := Failed, "no recording has the operation that it is about"
		if !all {
			level, text = Gap, "its operation is in no recording that was read to its end"
		}
		c.add(level, "review "+review.Name, "%s", text)
	}
}

func (c *checker) heldOperation(session string, h HeldOperation) {
	subject := fmt.Sprintf("session %s, operation %d", session, h.Operation)
	if h.Review == "" {
		return // held, and refused before a review could be opened
	}
	review := c.documents.held(h.Review)
	if review == nil {
		c.add(Gap, subject, "review %s, by which it was %s, is not in the bundle", h.Review, orWaiting(h.Outcome))
		return
	}
	held, outcome := review.Spec.Question.Subject.Held, review.Status.Outcome
	switch {
	case held.ID != fmt.Sprintf("%s/%d", session, h.Operation) || string(held.Point) != h.Point:
		c.add(Failed, subject, "review %s is about operation %s", review.Name, held.ID)
	case held.Digest != h.Digest:
		c.add(Failed, subject, "review %s is about other bytes than were held", review.Name)
	case h.Outcome == string(v1alpha1.OutcomeApproved) && outcome != v1alpha1.OutcomeApproved:
		c.add(Failed, subject, "it was released as approved, and review %s was not", review.Name)
	default:
		c.add(OK, subject, "held, and %s by review %s", orWaiting(h.Outcome), review.Name)
	}
}

func orWaiting(outcome string) string {
	if outcome == "" {
		return "not decided"
	}
	return strings.ToLower(outcome)
}

// report compares the bundle's counts with the recordings, and its reports with both.
func (c *checker) report(facts Facts) {
	var written Facts
	if err := readJSON(c.bundle, factsFile, &written); err != nil {
		c.add(Failed, "report", "%v", err)
		return
	}
	wrong, unread := disagreement(written, facts)
	if wrong != "" {
		c.add(Failed, "report", "%s", wrong)
		return
	}
	if unread != "" {
		c.add(Gap, "report", "what it says of %s cannot be counted again without --identity", unread)
	}
	if c.manifest.Report != reportVersion {
		c.add(Gap, "report", "it was written by another version of this program: its counts are right, its words are not checked")
		return
	}
	page := c.documents.describe(written)
	for _, file := range []struct {
		name string
		want []byte
	}{{markdownFile, page.markdown()}, {pageFile, page.html()}} {
		got, err := readFile(c.bundle, file.name)
		if err != nil || !bytes.Equal(got, file.want) {
			c.add(Failed, "report", "%s does not say what follows from the rest of the bundle", file.name)
			return
		}
	}
	c.add(OK, "report", "it says what follows from the rest of the bundle")
}

// disagreement says where counts are not those of the recordings. Of an encrypted session
// that cannot be read here, or could not be read when the report was written, only what
// both know is compared; unread names those of the first kind.
func disagreement(written, found Facts) (wrong, unread string) {
	var names []string
	if len(written.Sessions) != len(found.Sessions) {
		return fmt.Sprintf("it counts %d sessions, and there are %d", len(written.Sessions), len(found.Sessions)), ""
	}
	if text := written.unkept(); text != "" {
		return text, ""
	}
	for i, w := range written.Sessions {
		f := found.Sessions[i]
		if w.Session != f.Session || !same(w.Recorded, f.Recorded) {
			return "it says of session " + w.Session + " what its recording does not show", ""
		}
		switch {
		case w.Contents == nil:
		case f.Contents == nil:
			names = append(names, "session "+w.Session)
		case !same(w.Contents, f.Contents):
			return "it counts in session " + w.Session + " what its recording does not show", ""
		}
	}
	slices.Sort(names)
	return "", strings.Join(names, ", ")
}
