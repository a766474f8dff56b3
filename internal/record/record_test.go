package record_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/record"
)

func clock() func() time.Time {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	}
}

var start = record.Start{
	Session: "0195-session", RequestUID: "6f1f7a52-request", Request: "pay-1423", Namespace: "team-payments",
	Task: "PAY-1423", User: "bob", Proof: "key SHA256:abc", Remote: "10.0.0.7:51234", Target: "orders",
	Protocol: "postgres", Attributes: map[string]string{"database": "orders", "application_name": "psql"},
}

// session writes one of every event, and returns the bytes and the head after each.
func session(t testing.TB) ([]byte, []record.Head) {
	t.Helper()
	var out bytes.Buffer
	w, err := record.NewFileWriter(&out, start, clock())
	if err != nil {
		t.Fatal(err)
	}
	heads := []record.Head{w.Head()}
	for _, event := range []record.Event{
		{Type: record.EventNotice, Notice: "waiting for approval"},
		{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Kind: "select", Text: "SELECT * FROM orders WHERE id = $1", Values: []record.Text{"42", "\xff\x00"}}},
		{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-read", Rule: "grant"}},
		{Type: record.EventHold, Hold: &record.Hold{Operation: 1, Review: "pay-1423-1", Point: "Statement", Digest: strings.Repeat("cd", 32)}},
		{Type: record.EventOutput, Output: &record.Output{Operation: 1, Columns: []record.Column{{Name: "id", Type: 23}, {Name: "e\x1bmail", Type: 25, Binary: true}}}},
		{Type: record.EventOutput, Output: &record.Output{Operation: 1, Rows: 1, Bytes: 16, Data: []byte("\x28\xb5\x2f\xfd")}},
		{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 120}},
		{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1", Masked: map[string]int64{"column public.orders.email": 3, "detector card": 1}}},
		{Type: record.EventStream, Stream: &record.Stream{Operation: 1, Bytes: 3, SHA256: strings.Repeat("ab", 32)}},
		{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 1}},
	} {
		head, err := w.Append(event)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	return out.Bytes(), heads
}

func verify(data []byte, head *record.Head) (record.Summary, error) {
	return record.VerifyFile(bytes.NewReader(data), record.Expectation{Head: head})
}

func TestARecordingIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	data, heads := session(t)
	summary, err := verify(data, &heads[len(heads)-1])
	if err != nil {
		t.Fatal(err)
	}
	if !summary.HeadChecked || summary.Operations != 1 || summary.End.Reason != "the client left" {
		t.Errorf("summary: %+v", summary)
	}
	if diff := cmp.Diff(&start, summary.Start); diff != "" {
		t.Error(diff)
	}
	if last := heads[len(heads)-1]; !last.Complete || last.Sequence != 11 || last != summary.Head {
		t.Errorf("head %+v, read %+v", last, summary.Head)
	}
}

func TestAnOperationOfAnyLengthIsRecordedWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]string{"a", "é", "€", "😀", "\x00", "\xff", `"`, "\n"})
		text := func(label string, most int) record.Text {
			return record.Text(strings.Repeat(alphabet.Draw(t, label), rapid.IntRange(0, most).Draw(t, label)))
		}
		want := record.Operation{ID: 7, Kind: "insert", Text: text("text", 100_000)}
		for range rapid.IntRange(0, 5).Draw(t, "values") {
			want.Values = append(want.Values, text("value", 50_000))
		}
		if got := roundTrip(t, want); !cmp.Equal(want, got) {
			t.Fatalf("text of %d bytes and %d values came back as %d and %d",
				len(want.Text), len(want.Values), len(got.Text), len(got.Values))
		}
	})
}

func TestManySmallValuesAreSplitToo(t *testing.T) {
	t.Parallel()
	want := record.Operation{ID: 1, Kind: "insert", Text: "x", Values: make([]record.Text, 65535)}
	if got := roundTrip(t, want); !cmp.Equal(want, got) {
		t.Errorf("%d values came back", len(got.Values))
	}
}

func TestAnOperationOf64MiBIsRecordedInBoundedLines(t *testing.T) {
	t.Parallel()
	want := record.Operation{ID: 1, Kind: "insert", Text: record.Text(strings.Repeat("SELECT 1", 8<<20))}
	reader, writer := io.Pipe()
	go func() {
		w, err := record.NewFileWriter(writer, start, clock())
		if err == nil {
			_, err = w.Append(record.Event{Type: record.EventOperation, Operation: &want},
				record.Event{Type: record.EventEnd, End: &record.End{}})
		}
		writer.CloseWithError(err)
	}()
	r, err := record.NewFileReader(reader)
	if err != nil {
		t.Fatal(err)
	}
	var length int
	for {
		event, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if event.Operation != nil {
			length += len(event.Operation.Text)
		}
		if event.Part != nil {
			length += len(event.Part.Text)
		}
	}
	if length != 64<<20 {
		t.Errorf("%d bytes came back", length)
	}
}

type failer interface{ Fatal(args ...any) }

// roundTrip writes an operation and joins its parts again.
func roundTrip(t failer, operation record.Operation) record.Operation {
	var out bytes.Buffer
	w, err := record.NewFileWriter(&out, start, clock())
	if err == nil {
		_, err = w.Append(record.Event{Type: record.EventOperation, Operation: &operation}, record.Event{Type: record.EventEnd, End: &record.End{}})
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.NewFileReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	var got record.Operation
	for {
		event, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		switch event.Type {
		case record.EventOperation:
			got = *event.Operation
		case record.EventPart:
			if !got.More {
				t.Fatal("a part that nothing announced")
			}
			got.Text += event.Part.Text
			values := event.Part.Values
			if event.Part.Joined {
				got.Values[len(got.Values)-1] += values[0]
				values = values[1:]
			}
			got.Values, got.More = append(got.Values, values...), event.Part.More
		}
	}
}

func TestAWriterThatFailedWritesNoMore(t *testing.T) {
	t.Parallel()
	out := &brokenWriter{left: 3}
	w, err := record.NewFileWriter(out, start, clock())
	if err != nil {
		t.Fatal(err)
	}
	notice := record.Event{Type: record.EventNotice, Notice: "hello"}
	for range 2 {
		if _, err := w.Append(notice); err != nil {
			t.Fatal(err)
		}
	}
	head := w.Head()
	for range 3 {
		if _, err := w.Append(notice); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("error %v", err)
		}
	}
	if out.calls != 4 || w.Head() != head {
		t.Errorf("%d writes, head %+v then %+v", out.calls, head, w.Head())
	}
}

type brokenWriter struct{ left, calls int }

func (b *brokenWriter) Write(p []byte) (int, error) {
	b.calls++
	if b.left--; b.left < 0 {
		return len(p) / 2, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestIdentifiersAreLettersDigitsAndHyphens(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "..", "a/b", "a\x00b", "-a", "a.rec", strings.Repeat("a", 65), "ä"} {
		bad := start
		bad.Session = id
		if _, err := record.NewFileWriter(io.Discard, bad, clock()); !errors.Is(err, record.ErrIdentifier) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
