package record_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// seeds are the objects of a kind in testdata.
func seeds(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "1.0", "*", "*", pattern))
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func FuzzSegment(f *testing.F) {
	seeds(f, "*.seg")
	f.Fuzz(func(t *testing.T, object []byte) {
		r := recording{}
		r.put(names(1)[0], object)
		summary, err := check(r, record.Expectation{Identities: []age.Identity{identity}})
		if err == nil && (summary.End == nil || summary.Start == nil || summary.Segments != 1) {
			t.Errorf("valid without a beginning or an end: %+v", summary)
		}
	})
}

func FuzzBody(f *testing.F) {
	frames, err := record.AppendFrame(nil, []byte("{}\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frames)
	f.Add(append(frames, frames...))
	f.Fuzz(func(t *testing.T, frames []byte) {
		if plain, err := record.ReadBody(frames); err == nil && len(plain) > 4<<20 {
			t.Errorf("%d bytes", len(plain))
		}
	})
}

func FuzzJournal(f *testing.F) {
	seeds(f, "journal-*")
	f.Fuzz(func(t *testing.T, journal []byte) {
		// What can be resumed is what can be read.
		spool := t.TempDir()
		if err := os.WriteFile(filepath.Join(spool, "journal-00000001"), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		found, resumed := record.Resume(spool, nil)
		r := recording{}
		r.put(store.JournalName(start.Session, 1), journal)
		summary, err := check(r, record.Expectation{})
		if len(found) == 0 || resumed != nil || found[0].Session != start.Session {
			return
		}
		sealed := recording{}
		sealed.put(names(1)[0], found[0].Content)
		again, failed := check(sealed, record.Expectation{})
		var corrupt *record.CorruptError
		if errors.As(err, &corrupt) == errors.As(failed, &corrupt) && summary.Head.Sequence != again.Head.Sequence {
			t.Errorf("%d events in the journal, %d in its segment: %v, %v", summary.Head.Sequence, again.Head.Sequence, err, failed)
		}
	})
}

func FuzzSignature(f *testing.F) {
	seeds(f, "*.sig")
	f.Fuzz(func(t *testing.T, data []byte) {
		signature, err := record.ParseSignature(data)
		if err != nil {
			return
		}
		if string(signature.Encode()) != string(data) {
			t.Errorf("two spellings of %s", signature.Encode())
		}
		_ = signature.Check(trusted)
	})
}

func FuzzReaderOfOneFile(f *testing.F) {
	for _, version := range []string{"0.1", "0.2"} {
		data, err := os.ReadFile(filepath.Join("testdata", version, "session.rec"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := recording{}
		r.put(start.Session+".rec", data)
		if summary, err := record.Verify(context.Background(), r.store(), start.Session, record.Expectation{}); err == nil && summary.End == nil {
			t.Error("valid without an end")
		}
	})
}

func TestAnEmptyFileIsIncomplete(t *testing.T) {
	t.Parallel()
	r := recording{}
	r.put(start.Session+".rec", nil)
	var incomplete *record.IncompleteError
	if _, err := check(r, record.Expectation{}); !errors.As(err, &incomplete) {
		t.Error(err)
	}
	if _, err := check(r, record.Expectation{Heads: []record.Head{{Sequence: 1}}}); corrupted(t, "lost", err).Kind != record.Truncate {
		t.Error(err)
	}
}
