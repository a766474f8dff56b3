package record_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/record"
)

func TestAnOperationOfAnyLengthIsKeptWholeInSegments(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		alphabet := rapid.SampledFrom([]string{"a", "é", "€", "😀", "\x00", "\xff", `"`, "\n", "\u2028", "\x7f"})
		text := func(label string, most int) record.Text {
			return record.Text(strings.Repeat(alphabet.Draw(rt, label), rapid.IntRange(0, most).Draw(rt, label)))
		}
		want := record.Operation{ID: 7, Kind: "insert", Text: text("text", 100_000), Reads: []string{"a.b", "ü.\"x\""}}
		for range rapid.IntRange(0, 5).Draw(rt, "values") {
			want.Values = append(want.Values, text("value", 50_000))
		}
		r := recording{}
		spool, err := os.MkdirTemp(folder, "")
		if err != nil {
			rt.Fatal(err)
		}
		options := record.Options{Start: start, Spool: spool, Now: clock(), SegmentBytes: rapid.IntRange(1, 1<<20).Draw(rt, "segment"), Sealed: func(s record.Sealed) {
			r.put(names(s.Segment)[0], s.Content)
		}}
		if rapid.Bool().Draw(rt, "written") {
			options = record.Written(options)
		}
		w, err := record.NewWriter(options)
		if err == nil {
			err = w.AppendOperation(&want, &record.Verdict{Operation: 7, Effect: "Allow"})
		}
		if err = errors.Join(err, w.Close()); err != nil {
			rt.Fatal(err)
		}
		var got record.Operation
		var effect string
		for _, event := range readAll(t, r)[1:] {
			if event.Verdict != nil {
				effect = event.Verdict.Effect
			}
			switch {
			case event.Operation != nil:
				got = *event.Operation
			case event.Part != nil:
				joined(&got, event.Part)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || effect != "Allow" {
			rt.Fatalf("%d bytes and %d values came back as %d and %d, %q", len(want.Text), len(want.Values), len(got.Text), len(got.Values), effect)
		}
	})
}

// joined adds a part to its operation.
func joined(o *record.Operation, part *record.Part) {
	o.Text += part.Text
	values := part.Values
	if part.Joined {
		o.Values[len(o.Values)-1] += values[0]
		values = values[1:]
	}
	o.Values, o.More = append(o.Values, values...), part.More
}

func TestRecordingAnOperationAndItsResultAllocatesNothing(t *testing.T) {
	w, err := record.NewWriter(record.Options{Start: start, Spool: filepath.Join(t.TempDir(), "s"), SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	reads, masked := []string{"public.orders"}, map[string]int64{"column public.orders.email": 3, "detector card": 1}
	allocated := testing.AllocsPerRun(1000, func() {
		err = errors.Join(err,
			w.AppendOperation(&record.Operation{ID: 1, Kind: "select", Text: "SELECT '\u00e9' FROM \"orders\"\n", Reads: reads}, &record.Verdict{Operation: 1, Effect: "Allow", Policy: "p", Rule: "grant"}),
			w.AppendResult(&record.Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 120, Masked: masked}))
	})
	if err != nil || allocated > 0 {
		t.Errorf("%v allocations, %v", allocated, err)
	}
}

func TestAFullDiskIsAnErrorAndWhatWasTakenIsSealed(t *testing.T) {
	t.Parallel()
	for _, point := range []record.Point{record.PointJournalGrow, record.PointJournalWrite, record.PointJournalWritten, record.PointSealWrite, record.PointSealRename, record.PointSealed} {
		var sealed []record.Sealed
		full := false
		w, err := record.NewWriter(record.Options{
			Start: start, Spool: filepath.Join(t.TempDir(), "s"), Sealed: func(s record.Sealed) { sealed = append(sealed, s) },
			At: func(at record.Point) error {
				if full && at == point {
					return syscall.ENOSPC
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		full = true
		notice := record.Event{Type: record.EventNotice, Notice: strings.Repeat("x", 8000)}
		for err == nil {
			err = w.Append(notice)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%s: %v", point, err)
		}
		head := w.Head()
		for range 3 {
			if err := errors.Join(w.Append(notice), w.AppendResult(&record.Result{}), w.Rotate()); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s: %v", point, err)
			}
		}
		if err := w.Close(); !errors.Is(err, syscall.ENOSPC) || w.Close() != nil {
			t.Errorf("%s: closed: %v", point, err)
		}
		r := recording{}
		for _, s := range sealed {
			r.put(names(s.Segment)[0], s.Content)
		}
		var incomplete *record.IncompleteError
		if summary, err := check(r, record.Expectation{Heads: []record.Head{head}}); !errors.As(err, &incomplete) || summary.Heads != 1 || head.Sequence < 1 {
			t.Errorf("%s: %+v, %v", point, summary, err)
		}
	}
}

func TestARecordingThatHasItsEndTakesNothingMore(t *testing.T) {
	t.Parallel()
	w, err := record.NewWriter(record.Options{Start: start, Spool: filepath.Join(t.TempDir(), "s")})
	if err == nil {
		err = w.Append(record.Event{Type: record.EventEnd, End: &record.End{Reason: "bye"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AppendResult(&record.Result{}); !errors.Is(err, record.ErrClosed) {
		t.Error(err)
	}
	if head := w.Head(); !head.Complete || head.Sequence != 2 {
		t.Errorf("%+v", head)
	}
	if err := errors.Join(w.Sync(), w.Close(), w.Sync()); err != nil {
		t.Error(err)
	}
	if err := w.Append(record.Event{Type: record.EventNotice}); !errors.Is(err, record.ErrClosed) {
		t.Error(err)
	}
}

func TestASegmentIsDueWhenItsOldestEventIs(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_772_355_600, 0)
	sealed := 0
	w, err := record.NewWriter(record.Options{
		Start: start, Spool: filepath.Join(t.TempDir(), "s"), SegmentAge: time.Minute,
		Now: func() time.Time { return now }, Sealed: func(record.Sealed) { sealed++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if w.Due(now.Add(59*time.Second)) || !w.Due(now.Add(time.Minute)) {
		t.Error("not by its oldest event")
	}
	// A clock that was set back must not keep it open for as long.
	if w.Due(now.Add(-time.Second)) || !w.Due(now.Add(-2*time.Hour)) {
		t.Error("not where the clock was set back")
	}
	if err := errors.Join(w.Rotate(), w.Rotate()); err != nil || sealed != 1 || w.Due(now.Add(time.Hour)) {
		t.Errorf("%d sealed, %v", sealed, err)
	}
}

func TestASessionAtRestKeepsNoFileAndGoesOn(t *testing.T) {
	t.Parallel()
	objects, spool := recording{}, filepath.Join(t.TempDir(), start.Session)
	w, err := record.NewWriter(record.Options{Start: start, Spool: spool, Now: clock(), Sealed: func(s record.Sealed) {
		objects.put(names(s.Segment)[0], s.Content)
		if err := os.Remove(s.Journal); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := errors.Join(w.Append(record.Event{Type: record.EventNotice, Notice: "waits"}), w.Rest(), w.Rest())
		if entries, listed := os.ReadDir(spool); err != nil || listed != nil || len(entries) > 0 {
			t.Fatalf("%v, %v, %v", entries, err, listed)
		}
	}
	if err := errors.Join(w.Append(record.Event{Type: record.EventEnd, End: &record.End{}}), w.Close(), w.Rest()); !errors.Is(err, record.ErrClosed) {
		t.Error(err)
	}
	if events := readAll(t, objects); len(events) != 4 || len(objects) != 3 {
		t.Errorf("%d events in %d segments", len(events), len(objects))
	}
}

func TestIdentifiersOfSegmentsAreChecked(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "..", "a/b", "a\x00b", "-a", "a.rec", strings.Repeat("a", 65), "ä"} {
		bad := start
		bad.Session = id
		if _, err := record.NewWriter(record.Options{Start: bad, Spool: t.TempDir()}); !errors.Is(err, record.ErrIdentifier) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestABlockBeyondTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	w, err := record.NewWriter(record.Options{Start: start, Spool: filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	output := func(size int) record.Event {
		return record.Event{Type: record.EventOutput, Output: &record.Output{Bytes: int64(size), Block: make([]byte, size)}}
	}
	for range 20 {
		if err := w.Append(output(record.MaxBlock)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Append(output(record.MaxBlock + 1)); err == nil {
		t.Error("taken")
	}
}

func TestConcurrentCallersShareAWriter(t *testing.T) {
	t.Parallel()
	r := recording{}
	w, err := record.NewWriter(record.Options{Start: start, Spool: filepath.Join(t.TempDir(), "s"), SegmentBytes: 4096, Sealed: func(s record.Sealed) {
		r.put(names(s.Segment)[0], s.Content)
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for i := range 4 {
		go func() {
			var err error
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for n := 0; n < 200 && err == nil; n++ {
				err = w.Append(record.Event{Type: record.EventOutput, Output: &record.Output{Bytes: 64, Block: bytes.Repeat([]byte{byte(n)}, 64)}})
				switch random.IntN(8) {
				case 0:
					err = errors.Join(err, w.Sync())
				case 1:
					w.Head()
				}
			}
			done <- err
		}()
	}
	for range 4 {
		err = errors.Join(err, <-done)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if summary, err := check(r, record.Expectation{Heads: []record.Head{w.Head()}}); summary.Head.Sequence != 801 || summary.Heads != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
}
