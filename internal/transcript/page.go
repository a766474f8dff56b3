package transcript

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the page's own text
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

var (
	//go:embed page/page.html
	pageBody string
	//go:embed page/page.css
	pageStyle string
	//go:embed page/terminal.js
	terminalScript string
	//go:embed page/page.js
	pageScript string
)

// The bounds of a page, in bytes of JSON: past maxPageRows rows and terminals are left
// out, past maxPageSteps everything, and the page says so.
const (
	maxPageRows  = 24 << 20
	maxPageSteps = 64 << 20
	// maxPageCell bounds one value, maxPageText one statement, maxPageTable the rows of
	// one operation.
	maxPageCell  = 4 << 10
	maxPageText  = 64 << 10
	maxPageTable = 1000
)

// page writes one page that needs nothing beside itself. What was recorded is in it as
// JSON that no recorded text can leave: <, >, & and the line separators of JavaScript are
// escapes, controls are neutralised, and the script only ever makes text nodes of it.
// The policy (CSP) lets the page's own script and style run, and load nothing.
type page struct {
	out      *bufio.Writer
	sessions int
	size     int64
}

func newPage(out *bufio.Writer) (*page, error) {
	script := terminalScript + pageScript
	_, err := fmt.Fprintf(out, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Recording</title>
<style>%s</style>
</head>
<body>
%s<script type="application/json" id="data">{"sessions":[`, integrity(script), integrity(pageStyle), pageStyle, pageBody)
	return &page{out: out}, err
}

// integrity is the source expression by which a policy names an inline text (CSP 3,
// 2.3.1).
func integrity(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Close writes the end of the page.
func (p *page) Close() error {
	if _, err := io.WriteString(p.out, "]}</script>\n<script>"+terminalScript+pageScript+"</script>\n</body>\n</html>\n"); err != nil {
		return err
	}
	return p.out.Flush()
}

// Session writes one session. What cannot be believed ends it, with a warning.
func (p *page) Session(events Events) error {
	if p.sessions++; p.sessions > 1 {
		p.write(",")
	}
	p.write(`{"steps":[`)
	s := pageSession{page: p, filters: map[int64]*Filter{}, rows: map[int64]int{}}
	failed := each(events, s.step)
	warning := s.warning
	if failed != nil {
		warning = record.Printable(failed.Error()) + " " + warning
	}
	encoded, err := json.Marshal(warning)
	if err != nil {
		return err
	}
	p.write(`],"warning":` + string(encoded) + "}")
	if err := p.out.Flush(); err != nil {
		return err
	}
	return failed
}

// write keeps its error in the buffer, which Flush tells.
func (p *page) write(text string) { _, _ = p.out.WriteString(text) }

// pageSession is a session on its way into a page.
type pageSession struct {
	*page
	steps   int
	warning string
	full    bool
	filters map[int64]*Filter
	// rows of each operation that are in the page.
	rows map[int64]int
}

// The warnings of a page that is not all of its recording.
var (
	warnRows  = fmt.Sprintf("Rows and terminal output beyond %d MiB are left out of this page: the formats jsonl, csv and asciicast have no such bound.", maxPageRows>>20)
	warnSteps = fmt.Sprintf("This page ends at %d MiB; the session does not: the formats jsonl, csv and asciicast have no such bound.", maxPageSteps>>20)
)

func (s *pageSession) step(step Step) error {
	shown := s.show(step)
	if shown == nil || s.full {
		return nil
	}
	if (step.Kind == Rows || step.Kind == Screen) && s.size > maxPageRows {
		s.warning = warnRows
		return nil
	}
	shown["t"], shown["k"] = step.At.Milliseconds(), string(step.Kind)
	if step.Operation != nil {
		shown["o"] = step.Operation.ID
	}
	encoded, err := json.Marshal(shown)
	if err != nil {
		return fmt.Errorf("write a step: %w", err)
	}
	if s.size += int64(len(encoded)); s.size > maxPageSteps {
		s.full, s.warning = true, warnSteps
		return nil
	}
	if s.steps++; s.steps > 1 {
		s.write(",")
	}
	s.write(string(encoded))
	return nil
}

// show is a step as the page's script reads it; nil for one that it has no use for.
func (s *pageSession) show(step Step) map[string]any {
	switch step.Kind {
	case Begin:
		return map[string]any{"time": step.Time.UTC().Format(time.RFC3339Nano), "start": printableStart(*step.Start)}
	case Asked:
		o := step.Operation
		text, cut := clip(o.Text, maxPageText)
		return map[string]any{
			"kind": printable(o.Kind), "text": printable(text), "cut": cut || o.Cut, "values": cells(o.Values),
			"reads": cells(o.Reads), "writes": cells(o.Writes),
		}
	case Held:
		h := step.Hold
		return map[string]any{"review": printable(h.Review), "point": printable(h.Point), "outcome": printable(h.Outcome), "message": printable(h.Message)}
	case Decided:
		v := step.Verdict
		return map[string]any{"effect": printable(v.Effect), "policy": printable(v.Policy), "rule": printable(v.Rule), "message": printable(v.Message)}
	case Rows:
		return s.table(step)
	case Streamed:
		return map[string]any{"bytes": step.Stream.Bytes, "sha256": printable(step.Stream.SHA256)}
	case Answered:
		r := step.Result
		return map[string]any{"tag": printable(r.Tag), "rows": r.Rows, "bytes": r.Bytes, "error": printable(r.Error), "masked": maskLines(r.Masked)}
	case Screen:
		return map[string]any{"data": s.screen(step)}
	case Resized:
		return map[string]any{"width": step.Width, "height": step.Height}
	case Moved:
		f := step.File
		return map[string]any{
			"path": printable(f.Path), "op": printable(f.Op), "direction": printable(f.Direction),
			"bytes": f.Bytes, "sha256": printable(f.SHA256),
		}
	case Granted:
		return map[string]any{"text": printable(step.Grant.Words())}
	case Said:
		return map[string]any{"text": printable(step.Notice)}
	case End:
		return map[string]any{"reason": printable(step.End.Reason), "allowed": step.End.Allowed, "refused": step.End.Refused}
	case Done:
		delete(s.filters, step.Operation.ID)
		delete(s.rows, step.Operation.ID)
	}
	return nil
}

func (s *pageSession) screen(step Step) string {
	filter := s.filters[step.Operation.ID]
	if filter == nil {
		filter = &Filter{}
		s.filters[step.Operation.ID] = filter
	}
	return string(filter.Write(step.Output))
}
