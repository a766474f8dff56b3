package replay_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/record"
)

func recording(t *testing.T, events ...record.Event) []byte {
	t.Helper()
	var out bytes.Buffer
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	w, err := record.NewFileWriter(&out, record.Start{
		Session: "0195", RequestUID: "6f1f", Request: "pay-1423", Namespace: "team-payments", Task: "PAY-1423",
		User: "bob", Proof: "token", Remote: "10.0.0.7:51234", Target: "orders", Protocol: "postgres",
		Attributes: map[string]string{"database": "orders", "application_name": "psql\x1b[2J"},
	}, func() time.Time { now = now.Add(time.Second); return now })
	if err == nil {
		_, err = w.Append(events...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var session = []record.Event{
	{Type: record.EventNotice, Notice: "waiting for approval:\nkubectl approve pay-1423"},
	{Type: record.EventOperation, Operation: &record.Operation{
		ID: 1, Kind: "select", Text: "SELECT *\nFROM orders\n# ended: forged\x1b[1A", Values: []record.Text{"42\n$2 = forged", "\xff"},
	}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-read", Rule: "grant"}},
	{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 120}},
	{Type: record.EventStream, Stream: &record.Stream{Operation: 1, Bytes: 3, SHA256: "abab"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 2, Kind: "drop table", Text: "DROP TABLE orders"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 2, Effect: "Deny", Policy: "orders-read", Rule: "grant", Message: "not granted"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 3, Kind: "select", Text: "SELECT 1/0"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 3, Effect: "Allow", Policy: "orders-read", Rule: "grant"}},
	{Type: record.EventResult, Result: &record.Result{Operation: 3, Error: "22012: division by zero"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 4, Kind: "update", Text: "UPDATE orders SET paid = true"}},
	{Type: record.EventHold, Hold: &record.Hold{Operation: 4, Review: "pay-1423-0123456789", Point: "Statement", Digest: "abab", Message: "rule no-where"}},
	{Type: record.EventHold, Hold: &record.Hold{Operation: 4, Review: "pay-1423-0123456789", Point: "Statement", Digest: "abab", Outcome: "Denied", Message: "alice: name\nthe rows"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 4, Effect: "Deny", Policy: "orders-fix", Rule: "no-where", Message: "denied by its reviewers"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 5, Kind: "select", Text: "SELECT id, email FROM customers"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 5, Effect: "HoldCommit", Policy: "orders-fix", Rule: "gate"}},
	{Type: record.EventOutput, Output: block(
		[]record.Column{{Name: "id", Type: 23, Binary: true}, {Name: "email\x1b[2J", Type: 25}},
		"D\x00\x00\x00\x17\x00\x02\x00\x00\x00\x04\x00\x00\x00\x07\x00\x00\x00\x05[a]\n\x1b"+"D\x00\x00\x00\x0e\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff")},
	{Type: record.EventOutput, Output: block(nil, "D\x00\x00\x00\x01")},
	{Type: record.EventResult, Result: &record.Result{Operation: 5, Tag: "SELECT 2", Rows: 2, Bytes: 39, Masked: map[string]int64{"column public.customers.email": 1}}},
	{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 2, Refused: 1}},
}

// block is a block of the rows of operation 5.
func block(columns []record.Column, messages string) *record.Output {
	data, err := record.Compress(nil, []byte(messages))
	if err != nil {
		panic(err)
	}
	return &record.Output{Operation: 5, Columns: columns, Bytes: int64(len(messages)), Data: data}
}

func TestREC3_AReplayIsReadableAndCannotBeForged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := replay.Run(&out, bytes.NewReader(recording(t, session...)), replay.OutputText); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "session.txt")
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestREC3_JSONLinesHoldTheSameAndNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	events := append([]record.Event{{Type: record.EventNotice, Notice: "\u009b31m\u202e\U000e0041 é"}}, session...)
	var out bytes.Buffer
	if err := replay.Run(&out, bytes.NewReader(recording(t, events...)), replay.OutputJSONL); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b\u202e\U000e0041") || !strings.Contains(out.String(), "é") {
		t.Error(out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")[1:]
	for i, want := range events {
		var got record.Event
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		got.Sequence, got.Time = 0, time.Time{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestALongStatementIsReplayedWhole(t *testing.T) {
	t.Parallel()
	text, value := strings.Repeat("SELECT 'é';", 50_000), strings.Repeat("v", 300_000)
	events := []record.Event{
		{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Text: record.Text(text), Values: []record.Text{record.Text(value), "last"}}},
		{Type: record.EventEnd, End: &record.End{}},
	}
	var out bytes.Buffer
	if err := replay.Run(&out, bytes.NewReader(recording(t, events...)), ""); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"[1] " + text + "\n", "$1 = " + value + "\n", "$2 = last\n"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%.20s… is not there whole", part)
		}
	}
}

func TestAReplayPrintsWhatItCanBelieveAndThenSaysSo(t *testing.T) {
	t.Parallel()
	data := recording(t, session...)
	var incomplete *record.IncompleteError
	var out bytes.Buffer
	if err := replay.Run(&out, bytes.NewReader(data[:len(data)-20]), ""); !errors.As(err, &incomplete) ||
		!strings.Contains(out.String(), "DROP TABLE") || !strings.Contains(out.String(), "# incomplete") {
		t.Errorf("%v\n%s", err, out.String())
	}
	var corrupt *record.CorruptError
	out.Reset()
	data = bytes.Replace(data, []byte("SELECT 1/0"), []byte("SELECT 1/1"), 1)
	if err := replay.Run(&out, bytes.NewReader(data), ""); !errors.As(err, &corrupt) ||
		strings.Contains(out.String(), "1/1") || !strings.Contains(out.String(), "# corrupt at line 10") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := replay.Run(&out, bytes.NewReader(data), "yaml"); !errors.Is(err, replay.ErrOutput) {
		t.Error(err)
	}
}
