package record

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What is encoded by hand is what encoding/json writes, byte for byte.
func TestEventsAreEncodedAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[ -~]{0,12}`), rapid.String())
		event := Event{Sequence: rapid.Int64().Draw(t, "seq"), Time: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()}
		number := rapid.Int64().Draw(t, "operation")
		switch event.Type = rapid.SampledFrom([]EventType{EventOperation, EventVerdict, EventResult, EventOutput, EventNotice}).Draw(t, "type"); event.Type {
		case EventOperation:
			event.Operation = &Operation{ID: number, Kind: text.Draw(t, "kind"), Text: Text(text.Draw(t, "text")), More: rapid.Bool().Draw(t, "more")}
			for range rapid.IntRange(0, 3).Draw(t, "values") {
				event.Operation.Values = append(event.Operation.Values, Text(text.Draw(t, "value")))
			}
		case EventVerdict:
			event.Verdict = &Verdict{Operation: number, Effect: text.Draw(t, "effect"), Policy: text.Draw(t, "policy"), Rule: text.Draw(t, "rule"), Message: text.Draw(t, "message")}
		case EventResult:
			event.Result = &Result{Operation: number, Tag: text.Draw(t, "tag"), Rows: rapid.Int64().Draw(t, "rows"), Bytes: rapid.Int64().Draw(t, "bytes"), Error: text.Draw(t, "error")}
		case EventOutput:
			event.Output = &Output{Operation: number, Rows: rapid.Int64().Draw(t, "rows"), Bytes: rapid.Int64().Draw(t, "bytes"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
		default:
			event.Notice = text.Draw(t, "notice")
		}
		var want bytes.Buffer
		if err := marshal(&want, &event); err != nil {
			t.Fatal(err)
		}
		if got, ok := appendEvent(nil, &event); ok && string(got) != want.String() {
			t.Errorf("%s\nwant %s", got, want.String())
		}
	})
}

func TestTheEventsOfAnOrdinaryOperationNeedNoReflection(t *testing.T) {
	t.Parallel()
	for _, event := range []Event{
		{Type: EventOperation, Operation: &Operation{ID: 1, Kind: "select", Text: "SELECT 1", Values: []Text{"'x'", "NULL"}}},
		{Type: EventVerdict, Verdict: &Verdict{Operation: 1, Effect: "Allow", Policy: "p", Rule: "grant"}},
		{Type: EventResult, Result: &Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 11}},
		{Type: EventOutput, Output: &Output{Operation: 1, Rows: 1, Bytes: 11, Data: []byte("x")}},
	} {
		if _, ok := appendEvent(nil, &event); !ok {
			t.Error(event.Type)
		}
	}
}
