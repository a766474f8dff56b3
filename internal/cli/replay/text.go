package replay

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// What stands before each line but an operation's first says whose it is, so that
// nothing that a client typed can look like a verdict or a value: a text's further
// lines, a value, a fact of the proxy's own, a row, a line that a terminal showed.
const (
	further = "               | "
	bind    = "               $"
	fact    = "               > "
	rowOf   = "               = "
	shown   = "               ~ "
)

// text prints events for people.
type text struct {
	out io.Writer
	err error
	// open says that an operation's text or value is being printed.
	open bool
	// decided is its verdict, which was recorded with it.
	decided *record.Verdict
	// values of the operation so far.
	values int
	// outputs of operations that have no result yet.
	outputs map[int64]*output
	// room for rows of theirs that are not whole.
	room   *record.Room
	screen *screen
}

// maxOutputs bounds the operations whose rows are being read.
const maxOutputs = 1024

func newText(out io.Writer, terminal bool) *text {
	p := &text{out: out, outputs: map[int64]*output{}, room: &record.Room{}}
	p.screen = &screen{printer: p, raw: terminal}
	return p
}

// Event prints one event.
func (p *text) Event(event record.Event) error {
	p.event(event)
	return p.err
}

// End prints what the end of the reading was: nil for a session that is complete.
func (p *text) End(err error) error {
	p.endText()
	p.screen.end()
	if err != nil {
		p.printf("# %s\n", line(err.Error()))
	}
	return p.err
}

func (p *text) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, args...)
	}
}

func (p *text) event(event record.Event) {
	if event.Type != record.EventPart {
		p.endText()
	}
	if event.Terminal != nil {
		p.screen.event(event.Terminal)
		return
	}
	p.screen.leave()
	switch {
	case event.Start != nil:
		p.start(event.Time, event.Start)
	case event.Grant != nil:
		p.printf("%s  -- %s\n", clock(event.Time), line(event.Grant.Words()))
	case event.Operation != nil:
		o := event.Operation
		p.printf("%s  %s ", clock(event.Time), number(o.ID))
		p.values, p.open, p.decided = 0, true, event.Verdict
		p.text(o.Text)
		p.list(o.Values, false)
	case event.Part != nil:
		p.text(event.Part.Text)
		p.list(event.Part.Values, event.Part.Joined)
	case event.Hold != nil:
		p.hold(event.Hold)
	case event.Verdict != nil:
		p.verdict(event.Verdict)
	case event.Output != nil:
		p.output(event.Output)
	case event.Result != nil:
		p.result(event.Result)
	case event.Stream != nil:
		p.printf("%s%s %d bytes to the target, SHA-256 %s\n", fact, number(event.Stream.Operation), event.Stream.Bytes, line(event.Stream.SHA256))
	case event.File != nil:
		p.file(event.File)
	case event.End != nil:
		p.printf("# ended %s: %s (%d allowed, %d refused)\n", event.Time.Format(time.RFC3339), line(event.End.Reason), event.End.Allowed, event.End.Refused)
	default:
		p.printf("%s  -- %s\n", clock(event.Time), indent(event.Notice))
	}
}

func (p *text) start(at time.Time, s *record.Start) {
	p.printf("# session %s of task %s, request %s/%s\n", line(s.Session), line(s.Task), line(s.Namespace), line(s.Request))
	p.printf("# %s from %s, known by %s\n", line(s.User), line(s.Remote), line(s.Proof))
	p.printf("# %s target %s", line(s.Protocol), line(s.Target))
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		p.printf(", %s %s", line(name), line(s.Attributes[name]))
	}
	p.printf("\n# began %s\n", at.Format(time.RFC3339))
}

func (p *text) text(text record.Text) { p.printf("%s", indent(string(text))) }

// list prints values, the first perhaps the rest of the last.
func (p *text) list(values []record.Text, joined bool) {
	for i, value := range values {
		if i > 0 || !joined {
			p.values++
			p.printf("\n%s%d = ", bind, p.values)
		}
		p.printf("%s", line(string(value)))
	}
}

func (p *text) endText() {
	if p.open {
		p.printf("\n")
	}
	p.open = false
	if p.decided != nil {
		p.verdict(p.decided)
	}
	p.decided = nil
}

func (p *text) hold(h *record.Hold) {
	word := "held for review " + line(h.Review)
	if h.Outcome != "" {
		word = "review " + line(h.Review) + ": " + line(h.Outcome)
	}
	p.printf("%s%s %s", fact, number(h.Operation), word)
	if h.Message != "" {
		p.printf(": %s", indent(h.Message))
	}
	p.printf("\n")
}

func (p *text) verdict(v *record.Verdict) {
	word := map[string]string{"Allow": "allowed", "HoldCommit": "allowed, its COMMIT to be held,", "Deny": "REFUSED"}[v.Effect]
	if word == "" {
		word = line(v.Effect)
	}
	p.printf("%s%s %s by policy %s, rule %s", fact, number(v.Operation), word, line(v.Policy), line(v.Rule))
	if v.Message != "" {
		p.printf(": %s", indent(v.Message))
	}
	p.printf("\n")
}

func (p *text) result(r *record.Result) {
	p.printf("%s%s ", fact, number(r.Operation))
	if r.Error != "" {
		p.printf("error: %s\n", indent(r.Error))
	} else {
		p.printf("%s (%d rows, %d bytes)\n", line(r.Tag), r.Rows, r.Bytes)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Masked)) {
		p.printf("%s%s masked %d values: %s\n", fact, number(r.Operation), r.Masked[why], line(why))
	}
	if known := p.outputs[r.Operation]; known != nil {
		known.rows.Forget()
	}
	delete(p.outputs, r.Operation)
}

func (p *text) file(f *record.File) {
	p.printf("%s%s %s %s: %d bytes", fact, number(f.Operation), line(f.Op), line(f.Path), f.Bytes)
	if f.Direction != "" {
		p.printf(", %s", line(f.Direction))
	}
	if f.SHA256 != "" {
		p.printf(", SHA-256 %s", line(f.SHA256))
	}
	p.printf("\n")
}

func number(operation int64) string { return fmt.Sprintf("[%d]", operation) }

func clock(at time.Time) string { return at.Format("15:04:05.000") }

func line(text string) string { return record.PrintableLine(text) }

// indent keeps a text's further lines behind their mark.
func indent(text string) string {
	return strings.ReplaceAll(record.Printable(text), "\n", "\n"+further)
}
