package transcript_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

func TestREC3_ExportsOfStatementsReadWellAndHoldNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	for format, file := range map[string]string{
		transcript.FormatAsciicast: "statements.cast", transcript.FormatJSONL: "statements.jsonl", transcript.FormatCSV: "statements.csv",
	} {
		got := export(t, format, statements())
		golden(t, file, got)
		if i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && r != '\r' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s holds a character that a terminal may obey: %q", format, got[i:i+8])
		}
	}
}

func TestATerminalIsExportedAsItWas(t *testing.T) {
	t.Parallel()
	for format, file := range map[string]string{transcript.FormatAsciicast: "shell.cast", transcript.FormatJSONL: "shell.jsonl"} {
		golden(t, file, export(t, format, shell()))
	}
}

func TestAnAsciicastIsWhatItsSpecificationSays(t *testing.T) {
	t.Parallel()
	for _, tape := range []*tape{statements(), shell()} {
		lines := strings.Split(strings.TrimSuffix(export(t, transcript.FormatAsciicast, tape), "\n"), "\n")
		var header struct{ Version, Width, Height int }
		if err := json.Unmarshal([]byte(lines[0]), &header); err != nil || header.Version != 2 || header.Width < 1 || header.Height < 1 {
			t.Fatalf("%+v, %v", header, err)
		}
		before := 0.0
		for _, line := range lines[1:] {
			var event []any
			if err := json.Unmarshal([]byte(line), &event); err != nil || len(event) != 3 {
				t.Fatalf("%s: %v", line, err)
			}
			at, code := event[0].(float64), event[1].(string)
			if at < before || !strings.Contains("orm", code) {
				t.Errorf("%s after %f", line, before)
			}
			before = at
		}
	}
}

func TestNoCellOfATableIsAFormula(t *testing.T) {
	t.Parallel()
	var events []record.Event
	for i, text := range []string{"=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1", "  x", hostile, `a "quoted", text`} {
		events = append(events, record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: int64(i + 1), Text: record.Text(text), Kind: text}})
	}
	out := export(t, transcript.FormatCSV, recorded(append([]record.Event{start("postgres")}, events...)...))
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != len(events)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") {
				t.Errorf("%q", cell)
			}
		}
	}
}

// A spreadsheet of a country with decimal commas splits at semicolons, whatever the quotes
// of another separator say.
func TestNoCellIsAFormulaWhereOthersSeparateCells(t *testing.T) {
	t.Parallel()
	texts := []string{"SELECT 1;=1+1", "a;+1", "a;\"=1\"", "a\t@x", "a\n=1", ";;=1", "a;＝1"}
	var events []record.Event
	for i, text := range texts {
		events = append(events, record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: int64(i + 1), Text: record.Text(text)}})
	}
	out := export(t, transcript.FormatCSV, recorded(append([]record.Event{start("postgres")}, events...)...))
	for _, separator := range []rune{';', '\t'} {
		for _, cell := range strings.FieldsFunc(out, func(r rune) bool { return r == separator || r == '\n' || r == '\r' }) {
			if cell = strings.TrimLeft(cell, `"`); strings.ContainsAny(cell[:min(len(cell), 1)], "=+-@") || strings.HasPrefix(cell, "＝") {
				t.Errorf("split at %q: %q", separator, cell)
			}
		}
	}
}

func TestJSONLinesAreTheEventsWithTheirRows(t *testing.T) {
	t.Parallel()
	want := statements().events
	lines := strings.Split(strings.TrimSpace(export(t, transcript.FormatJSONL, statements())), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines of %d events", len(lines), len(want))
	}
	for i, text := range lines {
		var got struct {
			record.Event
			Rows [][]*record.Text
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if got.Type != want[i].Type || got.Sequence != want[i].Sequence || !got.Time.Equal(want[i].Time) {
			t.Errorf("event %d is %+v", i, got.Event)
		}
		if got.Output != nil && (len(got.Rows) != 3 || got.Rows[1][1] != nil || string(*got.Rows[2][1]) != "=1+1"+hostile) {
			t.Errorf("rows %v", got.Rows)
		}
	}
}

func TestAnExportThatBreaksOffSaysSoAndFails(t *testing.T) {
	t.Parallel()
	broken := &record.CorruptError{Kind: record.Flip, Segment: 3, Reason: "bytes were changed"}
	for _, format := range transcript.Formats {
		tape := statements()
		tape.events, tape.failed = tape.events[:12], broken
		var out strings.Builder
		exporter, err := transcript.NewExporter(format, &out)
		if err != nil {
			t.Fatal(err)
		}
		if err := exporter.Session(tape); !errors.Is(err, broken) {
			t.Errorf("%s: %v", format, err)
		}
		if err := exporter.Close(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "UPDATE orders") {
			t.Errorf("%s has lost what can be believed:\n%s", format, out.String())
		}
		if (format == transcript.FormatHTML || format == transcript.FormatAsciicast) && !strings.Contains(out.String(), "bytes were changed") {
			t.Errorf("%s does not say that it ends early:\n%s", format, out.String())
		}
	}
}

func TestAnAsciicastHoldsOneSession(t *testing.T) {
	t.Parallel()
	exporter, err := transcript.NewExporter(transcript.FormatAsciicast, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := exporter.Session(shell()); err != nil {
		t.Fatal(err)
	}
	if err := exporter.Session(shell()); err == nil {
		t.Error("a second session is taken")
	}
	if _, err := transcript.NewExporter("pdf", io.Discard); !errors.Is(err, transcript.ErrFormat) {
		t.Error(err)
	}
}
