// Package recordingtest makes recordings for tests, as a proxy, its keeper and the
// manager do.
package recordingtest

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Began is when recordings begin; every event is a second later than the one before.
var Began = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// Folder is the recordings of one request, in a folder.
type Folder struct {
	Path string
	// Key signs; nil does not.
	Key ed25519.PrivateKey
	// Recipients that recordings are encrypted to.
	Recipients []age.Recipient
	// SegmentBytes after which a segment is sealed; 0 is as the proxy does.
	SegmentBytes int
}

// New makes a folder that signs with a key of its own.
func New(t testing.TB) *Folder {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Folder{Path: t.TempDir(), Key: key}
}

// PublicPEM is the public key as the cluster publishes it.
func (f *Folder) PublicPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(f.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Start is bob's session on orders.
func Start(session string) record.Start {
	return record.Start{
		Session: session, RequestUID: "6f1f", Request: "pay-1423", Namespace: "team-payments", Task: "PAY-1423",
		User: "bob", Proof: "token", Remote: "10.0.0.7:51234", Target: "orders", Protocol: "postgres",
		Attributes: map[string]string{"database": "orders"},
	}
}

// Live is a session that goes on.
type Live struct {
	*record.Writer

	t      testing.TB
	folder *Folder
	now    time.Time
	sealed []record.Sealed
}

// Begin begins a session; its journal lies in the folder.
func (f *Folder) Begin(t testing.TB, start record.Start) *Live {
	t.Helper()
	l := &Live{t: t, folder: f, now: Began}
	w, err := record.NewWriter(record.Options{
		Start: start, Spool: filepath.Join(f.Path, start.Session), Recipients: f.Recipients, SegmentBytes: f.SegmentBytes,
		Now:    func() time.Time { l.now = l.now.Add(time.Second); return l.now },
		Sealed: func(s record.Sealed) { l.sealed = append(l.sealed, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Writer = w
	return l
}

// Add appends events, and stores what is sealed by them.
func (l *Live) Add(events ...record.Event) {
	l.t.Helper()
	if err := l.Append(events...); err != nil {
		l.t.Fatal(err)
	}
	l.store()
}

// End closes the writer, and stores the rest.
func (l *Live) End() record.Head {
	l.t.Helper()
	head := l.Head()
	if err := l.Close(); err != nil {
		l.t.Fatal(err)
	}
	l.store()
	return head
}

func (l *Live) store() {
	l.t.Helper()
	for _, s := range l.sealed {
		l.put(store.SegmentName(s.Session, s.Segment), s.Content)
		if l.folder.Key != nil {
			l.put(store.SignatureName(s.Session, s.Segment), record.Sign(l.folder.Key, s.Statement, l.now).Encode())
		}
		if err := os.Remove(s.Journal); err != nil && !os.IsNotExist(err) {
			l.t.Fatal(err)
		}
	}
	l.sealed = nil
}

func (l *Live) put(name string, content []byte) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.folder.Path, name), content, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// Session records a whole session; without an end among the events it is one whose proxy
// died.
func (f *Folder) Session(t testing.TB, start record.Start, events ...record.Event) record.Head {
	t.Helper()
	l := f.Begin(t, start)
	l.Add(events...)
	return l.End()
}

// Operation is an operation and its verdict.
func Operation(id int64, kind, text, effect string) record.Event {
	return record.Event{
		Type: record.EventOperation, Operation: &record.Operation{ID: id, Kind: kind, Text: record.Text(text)},
		Verdict: &record.Verdict{Operation: id, Effect: effect, Policy: "orders-read", Rule: "grant"},
	}
}

// Result is what the target answered.
func Result(id, rows int64, tag string) record.Event {
	return record.Event{Type: record.EventResult, Result: &record.Result{Operation: id, Tag: tag, Rows: rows, Bytes: 40 * rows}}
}

// End closes a session.
func End(allowed, refused int64) record.Event {
	return record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: allowed, Refused: refused}}
}
