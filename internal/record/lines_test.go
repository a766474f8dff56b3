package record_test

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/record"
)

// What is encoded by hand is read as it was, whatever stands in it.
func TestEventsOfAnyTextAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[ -~]{0,30}`), rapid.StringN(0, 40, 120))
		anything := rapid.OneOf(name, rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }))
		text := func(label string) string { return anything.Draw(rt, label) }
		number := rapid.Int64().Draw(rt, "number")
		var event record.Event
		switch event.Type = rapid.SampledFrom([]record.EventType{
			record.EventOperation, record.EventVerdict, record.EventResult, record.EventOutput, record.EventStream, record.EventTerminal, record.EventNotice,
		}).Draw(rt, "type"); event.Type {
		case record.EventOperation:
			event.Operation = &record.Operation{ID: number, Kind: text("kind"), Text: record.Text(text("text"))}
			for range rapid.IntRange(0, 3).Draw(rt, "values") {
				event.Operation.Values = append(event.Operation.Values, record.Text(text("value")))
				event.Operation.Reads = append(event.Operation.Reads, text("reads"))
			}
			if rapid.Bool().Draw(rt, "decided") {
				event.Verdict = &record.Verdict{Operation: number, Effect: text("effect"), Policy: text("policy"), Rule: text("rule"), Message: text("message")}
			}
		case record.EventVerdict:
			event.Verdict = &record.Verdict{Operation: number, Effect: text("effect")}
		case record.EventResult:
			event.Result = &record.Result{
				Operation: number, Tag: text("tag"), Rows: rapid.Int64().Draw(rt, "rows"), Bytes: rapid.Int64().Draw(rt, "bytes"), Error: text("error"),
				Masked: rapid.MapOfN(name, rapid.Int64(), 0, 4).Draw(rt, "masked"),
			}
		case record.EventOutput:
			block := []byte(text("block"))
			event.Output = &record.Output{Operation: number, Rows: rapid.Int64().Draw(rt, "rows"), Bytes: int64(len(block)), Block: block}
			for range rapid.IntRange(0, 3).Draw(rt, "columns") {
				event.Output.Columns = append(event.Output.Columns, record.Column{Name: rapid.StringMatching(`[ -~]{0,30}`).Draw(rt, "column"), Type: rapid.Uint32().Draw(rt, "oid"), Binary: rapid.Bool().Draw(rt, "binary")})
			}
		case record.EventStream:
			event.Stream = &record.Stream{Operation: number, Bytes: number, SHA256: text("sha256")}
		case record.EventTerminal:
			event.Terminal = &record.Terminal{Operation: number, Kind: "output", Cols: 80, Rows: 25, Data: []byte(text("data"))}
		default:
			event.Notice = text("notice")
		}
		r := recording{}
		spool, err := os.MkdirTemp(folder, "")
		if err != nil {
			rt.Fatal(err)
		}
		w, err := record.NewWriter(record.Options{Start: start, Spool: spool, Now: clock(), Sealed: func(s record.Sealed) { r.put(names(1)[0], s.Content) }})
		if err == nil {
			err = errors.Join(w.Append(event), w.Close(), os.RemoveAll(spool))
		}
		if err != nil {
			rt.Fatal(err)
		}
		events := readAll(t, r)
		if len(events) != 2 {
			rt.Fatal(events)
		}
		got := events[1]
		got.Sequence, got.Time, got.Attached, got.Checksum = 0, time.Time{}, 0, 0
		if diff := cmp.Diff(valid(rt, event), valid(rt, got)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// replaced is what stands where bytes were no UTF-8; how many they were is not kept.
var replaced = regexp.MustCompile(`(\x{fffd}|\\ufffd)+`)

// valid is an event as JSON has it: texts in UTF-8, and what is empty left out.
func valid(t *rapid.T, event record.Event) string {
	text, err := json.Marshal(&event)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []byte
	if event.Output != nil {
		blocks = event.Output.Block
	}
	if event.Terminal != nil {
		blocks = event.Terminal.Data
	}
	return replaced.ReplaceAllString(string(text), "\ufffd") + string(blocks)
}

func TestALongTextIsCutAndSaysSo(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{},
		&record.Event{Type: record.EventResult, Result: &record.Result{Tag: strings.Repeat("é", 5000), Error: strings.Repeat("x", 100_000)}},
		&record.Event{Type: record.EventNotice, Notice: strings.Repeat("x", 100_000)},
		&record.Event{Type: record.EventFile, File: &record.File{Path: strings.Repeat("/x", 100_000)}})
	for _, event := range readAll(t, w.sealed())[1:] {
		var text string
		switch {
		case event.Result != nil:
			text = event.Result.Error
			if len(event.Result.Tag) > 1100 || !strings.HasSuffix(event.Result.Tag, "… (cut)") {
				t.Error(event.Result.Tag)
			}
		case event.File != nil:
			text = event.File.Path
		default:
			text = event.Notice
		}
		if len(text) > 9000 || !strings.HasSuffix(text, "… (cut)") {
			t.Errorf("%s: %d bytes", event.Type, len(text))
		}
	}
}
