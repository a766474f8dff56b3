package transcript

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// table writes a line for each operation, as RFC 4180 says.
type table struct {
	buffer *bufio.Writer
	out    *csv.Writer
	begun  bool
}

// columns of a table.
var columns = []string{
	"time", "session", "user", "operation", "kind", "text", "values", "verdict",
	"policy", "rule", "message", "review", "outcome", "rows", "bytes", "error", "masked",
}

func newTable(buffer *bufio.Writer) *table {
	t := &table{buffer: buffer, out: csv.NewWriter(buffer)}
	t.out.UseCRLF = true
	return t
}

func (t *table) Session(events Events) error {
	if err := t.header(); err != nil {
		return err
	}
	start := &record.Start{}
	err := each(events, func(step Step) error {
		switch step.Kind {
		case Begin:
			start = step.Start
		case Done:
			return t.write(start, step.Operation)
		default: // in the operation, when it is done
		}
		return nil
	})
	t.out.Flush()
	return errors.Join(err, t.out.Error())
}

func (t *table) header() error {
	if t.begun {
		return nil
	}
	t.begun = true
	return t.out.Write(columns)
}

func (t *table) Close() error {
	if err := t.header(); err != nil {
		return err
	}
	t.out.Flush()
	return errors.Join(t.out.Error(), t.buffer.Flush())
}

func (t *table) write(start *record.Start, o *Operation) error {
	verdict, hold, result := o.Verdict, o.Hold, o.Result
	if verdict == nil {
		verdict = &record.Verdict{Effect: o.Effect()}
	}
	if hold == nil {
		hold = &record.Hold{}
	}
	var rows, size string
	if result == nil {
		result = &record.Result{}
	} else {
		rows, size = strconv.FormatInt(result.Rows, 10), strconv.FormatInt(result.Bytes, 10)
	}
	text := o.Text
	if o.Cut {
		text += "… (cut)"
	}
	line := []string{
		o.Time.UTC().Format(time.RFC3339Nano), start.Session, start.User, strconv.FormatInt(o.ID, 10), o.Kind, text, list(o.Values),
		verdict.Effect, verdict.Policy, verdict.Rule, verdict.Message, hold.Review, hold.Outcome, rows, size, result.Error, masked(result.Masked),
	}
	for i := range line {
		line[i] = cell(line[i])
	}
	return t.out.Write(line)
}

// formula is what a cell begins with that a spreadsheet would compute. One that takes
// semicolons or tabs for separators begins cells behind these, and behind line feeds.
var formula = regexp.MustCompile("(^|[;\t\n])(\"*[=+\\-@\uff1d\uff0b\uff0d\uff20])")

// cell is a text that a spreadsheet shows and does not compute (CWE-1236): where it, or a
// part of it, begins like a formula an apostrophe stands before that. Control characters
// are escapes.
func cell(text string) string {
	text = formula.ReplaceAllString(record.Printable(text), "$1'$2")
	if text != "" && strings.ContainsRune("\t\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

// list is values as a JSON array; the empty one is empty.
func list(values []string) string {
	if len(values) == 0 {
		return ""
	}
	shown := make([]string, len(values))
	for i, value := range values {
		shown[i] = record.Printable(value)
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(shown); err != nil {
		return "(values that cannot be written)"
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// masked is counts by why, in the order of their names.
func masked(counts map[string]int64) string {
	var out []string
	for _, why := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s: %d", why, counts[why]))
	}
	return strings.Join(out, "; ")
}
