package record_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

func BenchmarkAppend(b *testing.B) {
	spool := filepath.Join(b.TempDir(), "s")
	w, err := record.NewWriter(record.Options{Start: start, Spool: spool, Now: time.Now, Sealed: func(s record.Sealed) {
		os.Remove(s.Journal)
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n, reads := int64(0), []string{"public.pgbench_accounts"}
	for b.Loop() {
		n++
		if err := w.AppendOperation(
			&record.Operation{ID: n, Kind: "select", Text: "SELECT abalance FROM pgbench_accounts WHERE aid = 4242;", Reads: reads},
			&record.Verdict{Operation: n, Effect: "Allow", Policy: "orders-read", Rule: "grant"},
		); err != nil {
			b.Fatal(err)
		}
		if err := w.AppendResult(&record.Result{Operation: n, Tag: "SELECT 1", Rows: 1, Bytes: 120}); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
