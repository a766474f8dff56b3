package record_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// A proxy that was taken over after its session has ended can still write: it holds places
// that it has asked for, or the volume's folder.
func TestREC2_WhatItsProxyPutsBehindASignedEndSpoilsNothing(t *testing.T) {
	t.Parallel()
	variants(t, func(t *testing.T, w written, r recording, expect record.Expectation, signed bool) {
		t.Helper()
		clean, err := check(r, expect)
		if err != nil || len(clean.Behind) > 0 {
			t.Fatal(clean.Behind, err)
		}
		for name, c := range map[string]struct {
			objects map[string][]byte
			behind  []string
		}{
			"the next segment": {map[string][]byte{names(4)[0]: r[names(3)[0]].Data}, []string{"00000004.seg"}},
			"one far behind":   {map[string][]byte{names(9999)[0]: []byte("anything")}, []string{"00009999.seg"}},
			"a journal":        {map[string][]byte{store.JournalName(start.Session, 4): []byte("x")}, []string{"journal-00000004"}},
			"a signature that was copied": {
				map[string][]byte{names(5)[0]: r[names(2)[0]].Data, names(5)[1]: w.recording[names(2)[1]].Data},
				[]string{"00000005.seg", "00000005.sig"},
			},
		} {
			spoilt := r.clone()
			for object, data := range c.objects {
				spoilt.put(object, data)
			}
			summary, err := check(spoilt, expect)
			if !signed {
				if err == nil {
					t.Errorf("%s: nobody has signed the end, and it is believed", name)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			want := clean
			want.Behind = c.behind
			if diff := cmp.Diff(want, summary); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", name, diff)
			}
		}
	})
}

func TestREC2_WhatIsSignedBehindTheEndIsAnError(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, everything()...)
	next := parsed(t, w, 3).Statement
	next.Segment, next.First, next.Last, next.Previous = 4, next.Last+1, next.Last+1, next.Hash
	signature := record.Sign(signer, next, time.Unix(1772355600, 0))
	signed := w.sealed()
	signed.put(names(4)[1], signature.Encode())
	if _, err := check(signed, expected(w)); !errors.As(err, new(*record.CorruptError)) {
		t.Errorf("beside it: %v", err)
	}
	signed.put(names(4)[0], signed[names(3)[0]].Data)
	if _, err := check(signed, expected(w)); !errors.As(err, new(*record.CorruptError)) {
		t.Errorf("with its segment: %v", err)
	}
	expect := expected(w)
	expect.Seals = append(expect.Seals, signature)
	if _, err := check(w.sealed(), expect); !errors.As(err, new(*record.CorruptError)) {
		t.Errorf("kept elsewhere: %v", err)
	}
}

func TestAReaderEndsAndSeeksWithinTheSession(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, everything()...)
	spoilt := w.sealed()
	all := readAll(t, spoilt)
	last := all[len(all)-1]
	spoilt.put(names(4)[0], spoilt[names(3)[0]].Data)
	spoilt.put(names(99999999)[0], []byte("anything"))
	if got := readAll(t, spoilt); len(got) != len(all) {
		t.Errorf("%d events, want %d", len(got), len(all))
	}
	r, err := record.Open(t.Context(), spoilt.store(), start.Session, record.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, seek := range map[string]func() error{
		"event": func() error { return r.SeekEvent(last.Sequence) }, "time": func() error { return r.SeekTime(last.Time) },
	} {
		if err := seek(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := r.Next(); err != nil || got.Sequence != last.Sequence {
			t.Errorf("%s: event %d, %v", name, got.Sequence, err)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: behind the end: %v", name, err)
		}
	}
}
