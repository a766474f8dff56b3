package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

var errStop = errors.New("the disk is gone")

// dies records everything until a point is reached for the nth time, and leaves the writer
// as it is then: what Append took, and what was handed over.
func dies(t *testing.T, options record.Options, at record.Point, nth int) (spool string, taken int64, handed recording, died bool) {
	t.Helper()
	handed, spool = recording{}, filepath.Join(t.TempDir(), start.Session)
	options.Start, options.Spool, options.Now = start, spool, clock()
	options.Sealed = func(s record.Sealed) { handed.put(store.SegmentName(s.Session, s.Segment), s.Content) }
	options.At = func(point record.Point) error {
		if point == at {
			nth--
		}
		if nth <= 0 {
			return errStop // and nothing works after that
		}
		return nil
	}
	w, err := record.NewWriter(options)
	if err != nil {
		return spool, 0, handed, true
	}
	for _, event := range everything() {
		if event == nil {
			err = w.Rotate()
		} else if err = w.Append(*event); err == nil {
			err = w.Sync()
		}
		if err != nil {
			break
		}
		taken = w.Head().Sequence
	}
	return spool, taken, handed, err != nil
}

func TestREC1_WhatAppendTookIsResumedWhereverTheProxyDied(t *testing.T) {
	t.Parallel()
	for name, recipients := range map[string][]age.Recipient{"plain": nil, "encrypted": recipients()} {
		for _, point := range record.Points() {
			t.Run(name+" at "+string(point), func(t *testing.T) {
				t.Parallel()
				for nth := 1; ; nth++ {
					spool, taken, handed, died := dies(t, record.Options{Recipients: recipients}, point, nth)
					resumes(t, spool, recipients, taken, handed)
					if !died {
						if nth == 1 {
							t.Error("the point is never reached")
						}
						return
					}
				}
			})
		}
	}
}

// resumes checks what a dead proxy left against what it took and handed over.
func resumes(t *testing.T, spool string, recipients []age.Recipient, taken int64, handed recording) {
	t.Helper()
	found, err := record.Resume(spool, recipients)
	if err != nil {
		t.Fatal(err)
	}
	again, err := record.Resume(spool, recipients)
	if diff := cmp.Diff(found, again); diff != "" || err != nil {
		t.Fatalf("resumed again: %v\n%s", err, diff)
	}
	r := recording{}
	for _, s := range found {
		r.put(store.SegmentName(s.Session, s.Segment), s.Content)
	}
	for name, object := range handed {
		if !slices.Equal(r[name].Data, object.Data) {
			t.Fatalf("%s was handed over with other bytes", name)
		}
	}
	if len(r) == 0 {
		if taken > 0 {
			t.Fatalf("%d events are lost", taken)
		}
		return
	}
	summary, err := check(r, record.Expectation{Identities: []age.Identity{identity}})
	var incomplete *record.IncompleteError
	if err != nil && !errors.As(err, &incomplete) {
		t.Fatal(err)
	}
	if summary.Head.Sequence < taken {
		t.Fatalf("%d events were taken, and %d are there", taken, summary.Head.Sequence)
	}
	if last := found[len(found)-1]; last.Last != summary.Head.Sequence || last.Complete != (err == nil) {
		t.Errorf("%+v, and %+v, %v", last.Statement, summary, err)
	}
}

func TestREC1_AJournalTornByPowerLossIsSealedUpToThere(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, everything()[:5]...)
	data := w.recording[store.JournalName(start.Session, 1)].Data
	whole := readAll(t, recording{store.JournalName(start.Session, 1): w.recording[store.JournalName(start.Session, 1)]})
	for length := 0; length < 2048; length += 13 {
		spool := t.TempDir()
		torn := slices.Clone(data)
		for i := length; i < min(length+64, len(torn)); i++ {
			torn[i] = 0 // a page that was not written, and one behind it that was
		}
		if err := os.WriteFile(filepath.Join(spool, "journal-00000001"), torn, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := record.Resume(spool, nil)
		if err != nil && length > 250 {
			t.Fatalf("torn at %d: %v", length, err)
		}
		for _, s := range found {
			r := recording{}
			r.put(store.SegmentName(s.Session, s.Segment), s.Content)
			if diff := cmp.Diff(whole[:s.Last], readAll(t, r)); diff != "" {
				t.Fatalf("torn at %d: %s", length, diff)
			}
		}
	}
}

func TestASpoolOfAnEarlierLifeIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	if err := os.WriteFile(filepath.Join(spool, "journal-00000001"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := record.NewWriter(record.Options{Start: start, Spool: spool}); err == nil {
		t.Error("it is")
	}
	if found, err := record.Resume(filepath.Join(spool, "none"), nil); err != nil || found != nil {
		t.Errorf("%v, %v", found, err)
	}
}

func TestREC1_WhatASealingLeftHalfDoneIsRemoved(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, everything()[:5]...)
	spool := t.TempDir()
	for name, data := range map[string][]byte{
		"journal-00000001": w.recording[store.JournalName(start.Session, 1)].Data, "journal-00000001.new": []byte(`{"sealed":`), "journal-00000002.new": nil,
	} {
		if err := os.WriteFile(filepath.Join(spool, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := record.Resume(spool, nil)
	if err != nil || len(found) != 1 || found[0].Last != 6 {
		t.Errorf("%d segments, %v", len(found), err)
	}
	if left, err := os.ReadDir(spool); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}
