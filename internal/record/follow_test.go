package record_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// onVolume writes a session whose spool is its folder in the store.
func onVolume(t *testing.T) (*record.Writer, store.Reader) {
	t.Helper()
	root := t.TempDir()
	w, err := record.NewWriter(record.Options{
		Start: start, Spool: filepath.Join(root, start.Session), Now: clock(),
		Sealed: func(s record.Sealed) {
			if s.Segment%2 == 0 {
				return // still on its way: its journal holds it
			}
			err := os.WriteFile(filepath.Join(root, store.SegmentName(s.Session, s.Segment)), s.Content, 0o600)
			if err = errors.Join(err, os.Remove(s.Journal)); err != nil {
				t.Error(err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, store.FS(os.DirFS(root))
}

func TestAReaderFollowsASessionThatGoesOn(t *testing.T) {
	t.Parallel()
	w, from := onVolume(t)
	r, err := record.Open(context.Background(), from, start.Session, record.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	read := func(want int64) {
		t.Helper()
		for {
			event, err := r.Next()
			var incomplete *record.IncompleteError
			if errors.Is(err, io.EOF) || errors.As(err, &incomplete) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if event.Sequence > want {
				t.Fatalf("event %d", event.Sequence)
			}
		}
		if head := r.Head(); head.Sequence != want {
			t.Fatalf("read up to %d, not %d", head.Sequence, want)
		}
		if head := r.Head(); head != w.Head() {
			t.Fatalf("head %+v, and %+v was written", head, w.Head())
		}
	}
	read(1)
	sequence := int64(1)
	for i, event := range everything() {
		if event == nil {
			err = w.Rotate()
		} else {
			err = w.Append(*event)
			sequence++
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%3 != 1 && event != nil { // now and then it falls behind, over a rotation too
			read(sequence)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err = r.Next(); err != nil {
			break
		}
	}
	if !errors.Is(err, io.EOF) || r.Head().Sequence != sequence || !r.Head().Complete {
		t.Errorf("%+v, %v", r.Head(), err)
	}
	if summary, err := record.Verify(context.Background(), from, start.Session, record.Expectation{Heads: []record.Head{w.Head()}}); err != nil || summary.Heads != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestAReaderSeeksByEventAndTime(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, everything()...)
	r, err := record.Open(context.Background(), w.sealed().store(), start.Session, record.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := readAll(t, w.sealed())
	for _, want := range append(all, all[3], all[0]) {
		for name, seek := range map[string]func() error{
			"event": func() error { return r.SeekEvent(want.Sequence) },
			"time":  func() error { return r.SeekTime(want.Time) },
			"soon":  func() error { return r.SeekTime(want.Time.Add(-time.Microsecond)) },
		} {
			if err := seek(); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Next(); err != nil || got.Sequence != want.Sequence {
				t.Fatalf("%s %d: %d, %v", name, want.Sequence, got.Sequence, err)
			}
		}
	}
	if err := r.SeekEvent(99); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := r.SeekEvent(-1); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Next(); err != nil || got.Sequence != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAnEncryptedSegmentNeedsAnIdentity(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{Recipients: recipients()}, everything()...)
	if _, err := record.Open(context.Background(), w.sealed().store(), start.Session, record.ReadOptions{}); !errors.Is(err, record.ErrEncrypted) {
		t.Error(err)
	}
	expect := expected(w)
	expect.Identities = nil
	summary, err := check(w.sealed(), expect)
	if err != nil || summary.Read || !summary.Encrypted || summary.SignedEvent != 16 || !summary.Head.Complete || summary.Heads == 0 {
		t.Errorf("%+v, %v", summary, err)
	}
}
