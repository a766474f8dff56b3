package record_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// One operation of a session as it is recorded: three events, one write.
func BenchmarkOperation(b *testing.B) {
	out, err := os.OpenFile(filepath.Join(b.TempDir(), "session.rec"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	w, err := record.NewFileWriter(out, start, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.AppendLater(record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Kind: "select", Text: "SELECT abalance FROM pgbench_accounts WHERE aid = 4242;"}}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Append(record.Event{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-read", Rule: "grant"}}); err != nil {
			b.Fatal(err)
		}
		if err := w.AppendLater(record.Event{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 120}}); err != nil {
			b.Fatal(err)
		}
	}
}
