package record_test

import (
	"context"
	"crypto/ed25519"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
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

// The manager's key, and the identity of a recipient, of the tests.
var (
	signer   = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes here."))
	trusted  = []ed25519.PublicKey{signer.Public().(ed25519.PublicKey)} //nolint:forcetypeassert // it is one
	identity = func() *age.X25519Identity {
		id, err := age.ParseX25519Identity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
		if err != nil {
			panic(err)
		}
		return id
	}()
)

// recording is the objects of a session, as a store has them.
type recording fstest.MapFS

func (r recording) store() store.Reader { return store.FS(fstest.MapFS(r)) }

func (r recording) put(name string, content []byte) {
	r[name] = &fstest.MapFile{Data: slices.Clone(content), Mode: 0o600}
}

func (r recording) clone() recording {
	copied := recording{}
	for name, file := range r {
		copied.put(name, file.Data)
	}
	return copied
}

func (r recording) names() []string { return slices.Sorted(maps.Keys(r)) }

// written is a recording and what was reported of it.
type written struct {
	recording
	heads []record.Head
	spool string
}

// write records events, each in its own call, with a rotation where an event is nil.
func write(t testing.TB, options record.Options, events ...*record.Event) written {
	t.Helper()
	w := written{recording: recording{}, spool: filepath.Join(t.TempDir(), start.Session)}
	options.Start, options.Spool, options.Now = start, w.spool, clock()
	options.Sealed = func(s record.Sealed) {
		w.put(store.SegmentName(s.Session, s.Segment), s.Content)
		w.put(store.SignatureName(s.Session, s.Segment), record.Sign(signer, s.Statement, time.Unix(1772355600, 0)).Encode())
		if err := os.Remove(s.Journal); err != nil {
			t.Error(err)
		}
	}
	writer, err := record.NewWriter(options)
	if err != nil {
		t.Fatal(err)
	}
	w.heads = append(w.heads, writer.Head())
	for _, event := range events {
		if event == nil {
			err = writer.Rotate()
		} else {
			err = writer.Append(*event)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.heads = append(w.heads, writer.Head())
	}
	w.spooled(t)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

// spooled takes the journals that are in the spool now.
func (w *written) spooled(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(w.spool)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := start.Session + "/" + entry.Name()
		if _, err := store.ParseName(name); err != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(w.spool, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		w.put(name, data)
	}
}

// sealed leaves out journals.
func (w written) sealed() recording {
	r := w.clone()
	maps.DeleteFunc(r, func(name string, _ *fstest.MapFile) bool { return strings.Contains(name, "journal-") })
	return r
}

// everything is one of every event, in three segments.
func everything() []*record.Event {
	return []*record.Event{
		{Type: record.EventNotice, Notice: "waiting for approval"},
		{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Kind: "select", Text: "SELECT * FROM \"orders\" WHERE id = $1", Values: []record.Text{"42", "\xff\x00"}, Reads: []string{"public.orders"}},
			Verdict: &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-read", Rule: "grant"}},
		{Type: record.EventOutput, Output: &record.Output{Operation: 1, Columns: []record.Column{{Name: "id", Type: 23}, {Name: "e\x1bmail", Type: 25, Binary: true}}}},
		{Type: record.EventOutput, Output: &record.Output{Operation: 1, Rows: 1, Bytes: 17, Block: []byte("D\x00\x00\x00\x10\x00\x01\x00\x00\x00\x06a\nb\x00c\n")}},
		{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 120}},
		nil,
		{Type: record.EventOperation, Operation: &record.Operation{ID: 2, Kind: "update", Text: "UPDATE orders SET paid = true", Writes: []string{"public.orders"}}},
		{Type: record.EventHold, Hold: &record.Hold{Operation: 2, Review: "pay-1423-1", Point: "Statement", Digest: strings.Repeat("cd", 32)}},
		{Type: record.EventHold, Hold: &record.Hold{Operation: 2, Review: "pay-1423-1", Point: "Statement", Digest: strings.Repeat("cd", 32), Outcome: "Approved", Message: "ok"}},
		{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 2, Effect: "Allow", Policy: "orders-read", Rule: "writes", Message: "approved by alice"}},
		{Type: record.EventResult, Result: &record.Result{Operation: 2, Tag: "UPDATE 3", Masked: map[string]int64{"column public.orders.email": 3, "detector card": 1}}},
		nil,
		{Type: record.EventStream, Stream: &record.Stream{Operation: 3, Bytes: 3, SHA256: strings.Repeat("ab", 32)}},
		{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 4, Kind: "resize", Cols: 80, Rows: 25}},
		{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 4, Kind: "output", Data: []byte("\x1b[31m$ \r\n")}},
		{Type: record.EventFile, File: &record.File{Operation: 4, Path: "/etc/hosts", Op: "read", Bytes: 12, SHA256: strings.Repeat("ef", 32), Direction: "download"}},
		{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 2}},
	}
}

func expected(w written) record.Expectation {
	return record.Expectation{Session: start.Session, RequestUID: start.RequestUID, Heads: w.heads, Keys: trusted, Identities: []age.Identity{identity}}
}

func check(r recording, expect record.Expectation) (record.Summary, error) {
	return record.Verify(context.Background(), r.store(), start.Session, expect)
}

func readAll(t testing.TB, r recording) []record.Event {
	t.Helper()
	reader, err := record.Open(context.Background(), r.store(), start.Session, record.ReadOptions{Identities: []age.Identity{identity}})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var events []record.Event
	for {
		event, err := reader.Next()
		if err != nil {
			t.Log(err)
			return events
		}
		events = append(events, event)
	}
}

func recipients() []age.Recipient { return []age.Recipient{identity.Recipient()} }
