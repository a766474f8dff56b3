package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
)

func TestSegmentsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]record.Options{
		"plain": {}, "encrypted": {Recipients: recipients()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := write(t, options, everything()...)
			var want []record.Event
			for _, event := range everything() {
				if event != nil {
					want = append(want, *event)
				}
			}
			events := readAll(t, w.sealed())
			if len(events) == 0 || events[0].Start == nil || events[0].Start.User != start.User {
				t.Fatalf("%d events, the first is %+v", len(events), events)
			}
			got := events[1:]
			for i := range got {
				got[i].Sequence, got[i].Time, got[i].Attached, got[i].Checksum = 0, time.Time{}, 0, 0
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			summary, err := check(w.sealed(), expected(w))
			if err != nil {
				t.Fatal(err)
			}
			if summary.Segments != 3 || summary.SignedSegment != 3 || summary.SignedEvent != 16 || summary.Unsigned != 0 || summary.Operations != 2 ||
				summary.Heads < 10 || !summary.Read || summary.End == nil || summary.Encrypted != (name == "encrypted") {
				t.Errorf("%+v", summary)
			}
		})
	}
}
