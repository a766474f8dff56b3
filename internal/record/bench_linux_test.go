package record_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// recorder drops what is sealed.
func recorder(b *testing.B, options record.Options) *record.Writer {
	b.Helper()
	options.Start, options.Spool = start, filepath.Join(b.TempDir(), start.Session)
	options.Sealed = func(s record.Sealed) {
		if err := os.Remove(s.Journal); err != nil {
			b.Error(err)
		}
	}
	w, err := record.NewWriter(options)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	return w
}

// costs reports the processor's time of an operation: what it takes on a machine that
// others use, too.
func costs(b *testing.B) func() {
	b.Helper()
	used := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// An operation with its verdict, and its result: what a transaction of pgbench -S costs,
// sealing included.
func BenchmarkOperation(b *testing.B) {
	for name, options := range map[string]record.Options{
		"mapped": {}, "written": record.Written(record.Options{}), "encrypted": {Recipients: recipients()},
	} {
		b.Run(name, func(b *testing.B) {
			w := recorder(b, options)
			n, reads := int64(0), []string{"public.pgbench_accounts"}
			b.ReportAllocs()
			defer costs(b)()
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
		})
	}
}

// A block of rows, as an output recorded in full has them.
func BenchmarkOutput(b *testing.B) {
	row := message('D', []byte("\x00\x02\x00\x00\x00\x0812345678\x00\x00\x00\x1dcustomer 1234567 of the world"))
	block := bytes.Repeat(row, record.MaxBlock/len(row))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range block {
		if i%7 == 0 {
			block[i] ^= byte(random.IntN(32))
		}
	}
	for name, options := range map[string]record.Options{"plain": {}, "encrypted": {Recipients: recipients()}} {
		b.Run(name, func(b *testing.B) {
			w := recorder(b, options)
			b.SetBytes(int64(len(block)))
			defer costs(b)()
			for b.Loop() {
				if err := w.Append(record.Event{Type: record.EventOutput, Output: &record.Output{Operation: 1, Bytes: int64(len(block)), Block: block}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// An operation that must survive the node.
func BenchmarkSync(b *testing.B) {
	w := recorder(b, record.Options{})
	for b.Loop() {
		if err := w.AppendOperation(&record.Operation{ID: 1, Kind: "select", Text: "SELECT 1"}, &record.Verdict{Operation: 1, Effect: "Allow"}); err != nil {
			b.Fatal(err)
		}
		if err := w.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	var events []*record.Event
	for n := range int64(5000) {
		events = append(events, &record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: n, Kind: "select", Text: "SELECT abalance FROM pgbench_accounts WHERE aid = 4242;"}, Verdict: &record.Verdict{Effect: "Allow"}})
	}
	w := write(b, record.Options{}, events...)
	for b.Loop() {
		if summary, _ := check(w.sealed(), record.Expectation{}); summary.Operations != 5000 {
			b.Fatal(summary)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/event")
}
