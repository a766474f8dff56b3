package transcript

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/record"
)

// prompt writes statements and their results as psql would show them. Texts of others
// are neutralised; the escapes in what it gives are its own.
type prompt struct{ database string }

// The colours of a transcript (ECMA-48, SGR).
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// text is a step as a terminal is to show it.
func (p *prompt) text(s Step) string {
	switch s.Kind {
	case Begin:
		return p.begin(s.Start)
	case Granted:
		return mark(dim, s.Grant.Words())
	case Asked:
		return p.asked(s.Operation)
	case Held:
		return mark(yellow, held(s.Hold))
	case Decided:
		if s.Verdict.Effect == "Allow" {
			return ""
		}
		return mark(map[bool]string{true: red, false: yellow}[s.Verdict.Effect == "Deny"], decided(s.Verdict))
	case Rows:
		return grid(s.Operation.columns, s)
	case Streamed:
		return mark(dim, fmt.Sprintf("%d bytes to the target, SHA-256 %s", s.Stream.Bytes, s.Stream.SHA256))
	case Answered:
		return answered(s.Result)
	case Said:
		return mark(dim, s.Notice)
	case End:
		return mark(dim, fmt.Sprintf("ended: %s (%d allowed, %d refused)", s.End.Reason, s.End.Allowed, s.End.Refused))
	default: // of terminals
	}
	return ""
}

func (p *prompt) begin(start *record.Start) string {
	p.database = start.Attributes["database"]
	if p.database == "" {
		p.database = start.Target
	}
	return mark(dim, fmt.Sprintf("session %s of task %s: %s on %s", start.Session, start.Task, start.User, start.Target))
}

func (p *prompt) asked(o *Operation) string {
	text := o.Text
	if o.Cut {
		text += "… (cut)"
	}
	// Whatever a client typed stands behind a prompt: no line of it looks like the proxy's.
	name := record.PrintableLine(p.database)
	var out strings.Builder
	out.WriteString("\r\n" + bold + name + "=>" + plain + " " + lines(text, bold+name+"->"+plain+" ") + "\r\n")
	for i, value := range o.Values {
		out.WriteString(mark(dim, fmt.Sprintf("$%d = %s", i+1, record.PrintableLine(value))))
	}
	return out.String()
}

func answered(r *record.Result) string {
	out := mark(green, r.Tag)
	switch {
	case r.Error != "":
		out = mark(red, "ERROR: "+r.Error)
	case r.Tag == "":
		out = mark(green, fmt.Sprintf("%d rows, %d bytes", r.Rows, r.Bytes))
	}
	for _, why := range slices.Sorted(maps.Keys(r.Masked)) {
		out += mark(dim, fmt.Sprintf("masked %d values: %s", r.Masked[why], why))
	}
	return out
}

func held(h *record.Hold) string {
	text := "held for review " + h.Review
	if h.Outcome != "" {
		text = "review " + h.Review + ": " + h.Outcome
	}
	if h.Message != "" {
		text += ": " + h.Message
	}
	return text
}

func decided(v *record.Verdict) string {
	word := map[string]string{"Allow": "allowed", "HoldCommit": "allowed, its COMMIT to be held,", "Deny": "REFUSED"}[v.Effect]
	if word == "" {
		word = v.Effect
	}
	text := fmt.Sprintf("%s by policy %s, rule %s", word, v.Policy, v.Rule)
	if v.Message != "" {
		text += ": " + v.Message
	}
	return text
}

// mark is a coloured line of the proxy's own.
func mark(colour, text string) string { return colour + lines(text, "| ") + plain + "\r\n" }

// lines is a text of others, neutralised, with the line ends that a terminal wants and a
// mark before each further line.
func lines(text, further string) string {
	return strings.ReplaceAll(record.Printable(text), "\n", "\r\n"+further)
}

// maxCell is the most characters of a value that a grid shows.
const maxCell = 60

// grid is rows below their columns' names. Each step is laid out by itself: a result of
// any length takes bounded memory.
func grid(columns []record.Column, s Step) string {
	var table [][]string
	if len(s.Columns) > 0 {
		names := make([]string, len(s.Columns))
		for i, column := range s.Columns {
			names[i] = shown(column.Name)
		}
		table = append(table, names)
	}
	var copied strings.Builder
	for _, row := range s.Rows {
		if row.Values == nil {
			copied.WriteString(" " + lines(strings.TrimSuffix(string(row.Copy), "\n"), " ") + "\r\n")
			continue
		}
		cells := make([]string, len(row.Values))
		for i, raw := range row.Values {
			text, isNull := value(columns, i, raw)
			if cells[i] = shown(text); isNull {
				cells[i] = "NULL"
			}
		}
		table = append(table, cells)
	}
	return aligned(table, len(s.Columns) > 0) + copied.String()
}

func shown(text string) string {
	text = record.PrintableLine(text)
	if utf8.RuneCountInString(text) > maxCell {
		return string([]rune(text)[:maxCell-1]) + "…"
	}
	return text
}

func aligned(table [][]string, headed bool) string {
	var widths []int
	for _, row := range table {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for n, row := range table {
		for i, cell := range row {
			if i > 0 {
				out.WriteString(" |")
			}
			out.WriteString(" " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		out.WriteString("\r\n")
		if n > 0 || !headed {
			continue
		}
		for i, width := range widths {
			if i > 0 {
				out.WriteString("+")
			}
			out.WriteString(strings.Repeat("-", width+2))
		}
		out.WriteString("\r\n")
	}
	return out.String()
}
