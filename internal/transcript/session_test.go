package transcript_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// hostile is a text that tries to leave wherever it is put.
const hostile = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> ' \" ]]> \u2028\u2029 \x1b]52;c;aGk=\a \u202e \xff {{.}} `"

// tape is events, and how they end.
type tape struct {
	events []record.Event
	failed error
}

func (t *tape) Next() (record.Event, error) {
	if len(t.events) == 0 {
		if t.failed == nil {
			return record.Event{}, io.EOF
		}
		return record.Event{}, t.failed
	}
	event := t.events[0]
	t.events = t.events[1:]
	return event, nil
}

// recorded numbers events, a second and a half apart.
func recorded(events ...record.Event) *tape {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for i := range events {
		events[i].Sequence, events[i].Time = int64(i+1), now.Add(time.Duration(i)*1500*time.Millisecond)
	}
	return &tape{events: events}
}

func start(protocol string) record.Event {
	return record.Event{Type: record.EventStart, Start: &record.Start{
		Session: "0195", RequestUID: "6f1f", Request: "pay-1423", Namespace: "team-payments", Task: "PAY-1423",
		User: "bob", Proof: "token", Remote: "10.0.0.7:51234", Target: "orders", Protocol: protocol,
		Attributes: map[string]string{"database": "shop", "application_name": hostile},
	}}
}

// dataRow is a message of protocol "postgres".
func dataRow(values ...*string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, value := range values {
		if value == nil {
			body = append(body, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(*value))), *value...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{'D'}, uint32(len(body)+4)), body...)
}

func block(operation int64, columns []record.Column, rows ...[]byte) *record.Output {
	messages := bytes.Join(rows, nil)
	return &record.Output{Operation: operation, Columns: columns, Rows: int64(len(rows)), Bytes: int64(len(messages)), Block: messages}
}

// statements is a session with everything that a database's can have.
func statements() *tape {
	rows := block(5, []record.Column{{Name: "id", Type: 23, Binary: true}, {Name: "email", Type: 25}},
		dataRow(new("\x00\x00\x00\x07"), new("[email]")), dataRow(new("\x00\x00\x00\x08"), nil), dataRow(new("\x00\x00\x00\x09"), new("=1+1"+hostile)))
	return recorded(
		start("postgres"),
		record.Event{Type: record.EventNotice, Notice: "waiting for approval:\nkubectl approve pay-1423"},
		record.Event{
			Type:      record.EventOperation,
			Operation: &record.Operation{ID: 1, Kind: "select", Text: "SELECT *\nFROM orders WHERE id = $1", Values: []record.Text{"42"}, Reads: []string{"public.orders"}},
			Verdict:   &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-read", Rule: "grant"},
		},
		record.Event{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 120}},
		record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: 2, Kind: "drop table", Text: "DROP TABLE orders"}},
		record.Event{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 2, Effect: "Deny", Policy: "orders-read", Rule: "grant", Message: "not granted"}},
		record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: 3, Kind: "", Text: "=cmd|' /C calc'!A0 ", More: true}},
		record.Event{Type: record.EventPart, Part: &record.Part{Operation: 3, Text: hostile, Values: []record.Text{"a"}, More: true}},
		record.Event{Type: record.EventPart, Part: &record.Part{Operation: 3, Values: []record.Text{"b", hostile}, Joined: true}},
		record.Event{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 3, Effect: "Deny", Policy: "orders-read", Rule: "grant", Message: hostile}},
		record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: 4, Kind: "update", Text: "UPDATE orders SET paid = true", Writes: []string{"public.orders"}}},
		record.Event{Type: record.EventHold, Hold: &record.Hold{Operation: 4, Review: "pay-1423-0123456789", Point: "Statement", Digest: "abab"}},
		record.Event{Type: record.EventHold, Hold: &record.Hold{Operation: 4, Review: "pay-1423-0123456789", Point: "Statement", Digest: "abab", Outcome: "Denied", Message: "alice: name\nthe rows"}},
		record.Event{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 4, Effect: "Deny", Policy: "orders-fix", Rule: "no-where", Message: "denied by its reviewers"}},
		record.Event{
			Type:      record.EventOperation,
			Operation: &record.Operation{ID: 5, Kind: "select", Text: "SELECT id, email FROM customers"},
			Verdict:   &record.Verdict{Operation: 5, Effect: "HoldCommit", Policy: "orders-fix", Rule: "gate"},
		},
		record.Event{Type: record.EventOutput, Output: rows},
		record.Event{Type: record.EventResult, Result: &record.Result{Operation: 5, Tag: "SELECT 3", Rows: 3, Bytes: 39, Masked: map[string]int64{"column public.customers.email": 1}}},
		record.Event{
			Type:      record.EventOperation,
			Operation: &record.Operation{ID: 6, Kind: "copy", Text: "COPY orders FROM STDIN"},
			Verdict:   &record.Verdict{Operation: 6, Effect: "Allow", Policy: "orders-fix", Rule: "grant"},
		},
		record.Event{Type: record.EventStream, Stream: &record.Stream{Operation: 6, Bytes: 3, SHA256: "abab"}},
		record.Event{Type: record.EventResult, Result: &record.Result{Operation: 6, Error: "22P04: extra data"}},
		record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 3, Refused: 3}},
	)
}

// shell is a session with a terminal; é comes in two halves.
func shell() *tape {
	return recorded(
		start("ssh"),
		record.Event{
			Type:      record.EventOperation,
			Operation: &record.Operation{ID: 1, Kind: "shell", Text: "bash -l"},
			Verdict:   &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-fix", Rule: "grant"},
		},
		record.Event{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "resize", Cols: 100, Rows: 30}},
		record.Event{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "output", Data: []byte("\x1b[32mcaf\xc3")}},
		record.Event{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "output", Data: []byte("\xa9\x1b[0m </script>\x1b]0;title\a\x1b[c\r\n")}},
		record.Event{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "resize", Cols: 80, Rows: 24}},
		record.Event{Type: record.EventFile, File: &record.File{Operation: 1, Path: "/etc/motd", Op: "read", Direction: "download", Bytes: 12, SHA256: "abab"}},
		record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 1}},
	)
}

func export(t *testing.T, format string, tapes ...*tape) string {
	t.Helper()
	var out bytes.Buffer
	exporter, err := transcript.NewExporter(format, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, tape := range tapes {
		if err := exporter.Session(tape); err != nil {
			t.Fatal(err)
		}
	}
	if err := exporter.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}
