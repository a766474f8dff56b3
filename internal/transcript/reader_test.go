package transcript_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

func steps(t *testing.T, tape *tape) []transcript.Step {
	t.Helper()
	reader := transcript.NewReader(tape)
	var out []transcript.Step
	for {
		step, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, step)
	}
}

func TestAPortalThatIsExecutedAgainGoesOnInItsOperation(t *testing.T) {
	t.Parallel()
	got := steps(t, recorded(
		start("postgres"),
		record.Event{
			Type:      record.EventOperation,
			Operation: &record.Operation{ID: 1, Kind: "select", Text: "SELECT 1"},
			Verdict:   &record.Verdict{Operation: 1, Effect: "Allow"},
		},
		record.Event{Type: record.EventResult, Result: &record.Result{Operation: 1, Rows: 2, Masked: map[string]int64{"a": 1}}},
		record.Event{Type: record.EventResult, Result: &record.Result{Operation: 1, Rows: 3, Masked: map[string]int64{"a": 1, "b": 4}, Tag: "SELECT 5"}},
		record.Event{Type: record.EventEnd, End: &record.End{}},
	))
	last := got[len(got)-2]
	if last.Kind != transcript.Done || last.Operation.Result.Rows != 5 || last.Operation.Result.Tag != "SELECT 5" ||
		last.Operation.Result.Masked["a"] != 2 || last.Operation.Result.Masked["b"] != 4 {
		t.Errorf("%+v", last.Operation.Result)
	}
}

func TestTimeNeverGoesBackInATranscript(t *testing.T) {
	t.Parallel()
	tape := statements()
	tape.events[4].Time = tape.events[4].Time.AddDate(-1, 0, 0)
	got := steps(t, tape)
	if !slices.IsSortedFunc(got, func(a, b transcript.Step) int { return int(a.At - b.At) }) || got[0].At != 0 {
		t.Error("a step is before the one that came before it")
	}
}

func TestREC4_AReaderHoldsFewOperationsAndBoundedTexts(t *testing.T) {
	t.Parallel()
	const operations, each = 5000, 64 << 10
	text := record.Text(strings.Repeat("x", each))
	n, open, most := 0, 0, 0
	reader := transcript.NewReader(events(func() (record.Event, error) {
		if n++; n > operations {
			return record.Event{}, io.EOF
		}
		return record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: int64(n), Text: text}}, nil
	}))
	for {
		step, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		switch step.Kind {
		case transcript.Asked:
			open++
		case transcript.Done:
			open--
		}
		most = max(most, open)
	}
	if open != 0 || most*each > 40<<20 {
		t.Errorf("%d operations were held at once, %d were never done", most, open)
	}
}

type events func() (record.Event, error)

func (e events) Next() (record.Event, error) { return e() }

func TestATextBeyondItsBoundIsCutAndSaysSo(t *testing.T) {
	t.Parallel()
	long := record.Text(strings.Repeat("x", 60<<10))
	list := []record.Event{start("postgres"), {Type: record.EventOperation, Operation: &record.Operation{ID: 1, Text: long, More: true}}}
	for range 30 {
		list = append(list, record.Event{Type: record.EventPart, Part: &record.Part{Operation: 1, Text: long, More: true}})
	}
	list = append(list,
		record.Event{Type: record.EventPart, Part: &record.Part{Operation: 1, Values: []record.Text{"v"}}},
		record.Event{Type: record.EventEnd, End: &record.End{}})
	for _, step := range steps(t, recorded(list...)) {
		if step.Kind == transcript.Asked && (!step.Operation.Cut || len(step.Operation.Text) > transcript.MaxText) {
			t.Errorf("%d bytes, cut: %t", len(step.Operation.Text), step.Operation.Cut)
		}
	}
}
