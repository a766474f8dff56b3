package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// Query is what to look for; what is empty matches everything.
type Query struct {
	// Task and User of the session, whole, in any case.
	Task, User string
	// Relation that an operation reads or writes: orders, or public.orders.
	Relation string
	// Text in a statement, its values, a notice, a file's name or a terminal's output, in
	// any case.
	Text string
	// Verdict is Allow, Deny, Hold or Pending, in any case.
	Verdict string
	// Kind of the operation, as select, in any case.
	Kind string
	// Since and Until bound the operation's time.
	Since, Until time.Time
}

// operations says that only operations can match.
func (q *Query) operations() bool { return q.Relation != "" || q.Verdict != "" || q.Kind != "" }

// session says whether a session can hold anything.
func (q *Query) session(began time.Time, start *record.Start) bool {
	return (q.Task == "" || strings.EqualFold(q.Task, start.Task) || strings.EqualFold(q.Task, start.Request)) &&
		(q.User == "" || strings.EqualFold(q.User, start.User)) &&
		(q.Until.IsZero() || !began.After(q.Until))
}

func (q *Query) at(at time.Time) bool {
	return (q.Since.IsZero() || !at.Before(q.Since)) && (q.Until.IsZero() || !at.After(q.Until))
}

// operation says whether an operation matches, now that all of it is known.
func (q *Query) operation(o *transcript.Operation) bool {
	return q.at(o.Time) && q.verdict(o) && q.relation(o) &&
		(q.Kind == "" || strings.EqualFold(q.Kind, o.Kind)) && (q.Text == "" || q.statement(o))
}

func (q *Query) statement(o *transcript.Operation) bool {
	return q.text(o.Text) || o.Result != nil && q.text(o.Result.Error) || o.Verdict != nil && q.text(o.Verdict.Message) ||
		slices.ContainsFunc(o.Values, q.text)
}

func (q *Query) text(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(q.Text))
}

func (q *Query) verdict(o *transcript.Operation) bool {
	switch {
	case q.Verdict == "":
		return true
	case strings.EqualFold(q.Verdict, "Hold"):
		return o.Hold != nil || o.Effect() == "Hold" || o.Effect() == "HoldCommit"
	case strings.EqualFold(q.Verdict, "Allow"):
		return o.Effect() == "Allow" || o.Effect() == "HoldCommit"
	}
	return strings.EqualFold(q.Verdict, o.Effect())
}

func (q *Query) relation(o *transcript.Operation) bool {
	if q.Relation == "" {
		return true
	}
	for _, names := range [][]string{o.Reads, o.Writes} {
		for _, name := range names {
			_, bare, _ := strings.Cut(name, ".")
			if strings.EqualFold(name, q.Relation) || strings.EqualFold(bare, q.Relation) {
				return true
			}
		}
	}
	return false
}

// Verdicts are those to look for.
func Verdicts() []string { return []string{"Allow", "Deny", "Hold", "Pending"} }

func (q *Query) validate() error {
	known := q.Verdict == ""
	for _, verdict := range Verdicts() {
		known = known || strings.EqualFold(verdict, q.Verdict)
	}
	if !known {
		return fmt.Errorf("--verdict is one of %s", strings.Join(Verdicts(), ", "))
	}
	if *q == (Query{}) {
		return errors.New("say what to look for: --task, --user, --relation, --text, --verdict, --kind, --since or --until")
	}
	return nil
}

// parseTime reads --since and --until: a time, a day, or how long ago.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s takes how long ago (2h), a day (2026-03-01) or a time (2026-03-01T14:05:30Z)", flag)
}
