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
	w, err := record.NewWriter(&out, record.Start{
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
	{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 2, Refused: 1}},
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
