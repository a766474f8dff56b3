package conformance

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record/store"
)

// Measure puts segments of 1 MiB one after the other, and reports the median and the
// 99th percentile of the time that one takes.
func Measure(b *testing.B, w store.Writer) {
	b.Helper()
	content := pattern(1, 1<<20)
	b.SetBytes(int64(len(content)))
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := w.Put(b.Context(), store.SegmentName("one", len(took)+1), content); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	at := func(percent int) float64 { return took[(len(took)-1)*percent/100].Seconds() * 1000 }
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(99), "p99-ms")
}
