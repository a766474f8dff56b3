package conformance

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/internal/record/store"
)

func once(t *testing.T, s Subject) {
	if !needsWriter(s) {
		return
	}
	name := store.SegmentName("one", 1)
	s.add(t, name, []byte("first"))
	for _, other := range []string{"other", "first and more", "fir", ""} {
		if err := s.Writer.Put(t.Context(), name, []byte(other)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%q over it: %v", other, err)
		}
	}
	expect(t, s.Reader, name, []byte("first"))
}

func again(t *testing.T, s Subject) {
	if !needsWriter(s) {
		return
	}
	name, content := store.SegmentName("one", 1), pattern(1, 1<<20)
	for range 3 {
		s.add(t, name, content)
	}
	expect(t, s.Reader, name, content)
}

// race puts several contents under each name, each from two writers.
func race(t *testing.T, s Subject) {
	if !needsWriter(s) {
		return
	}
	const contents, size = 4, 64 << 10
	for number := 1; number <= 5; number++ {
		name := store.SegmentName("one", number)
		var writers sync.WaitGroup
		stored := make([]int, contents)
		var mu sync.Mutex
		for writer := range 2 * contents {
			writers.Go(func() {
				err := s.Writer.Put(t.Context(), name, pattern(writer%contents, size))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					stored[writer%contents]++
				} else if !errors.Is(err, fs.ErrExist) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		writers.Wait()
		winner := -1
		for content, times := range stored {
			switch {
			case times == 0:
			case winner >= 0 || times != 2:
				t.Errorf("%s: content %d was stored by %d writers of 2, after content %d", name, content, times, winner)
			default:
				winner = content
			}
		}
		if winner < 0 {
			t.Fatalf("%s: nobody won", name)
		}
		expect(t, s.Reader, name, pattern(winner, size))
	}
}

func kinds(t *testing.T, s Subject) {
	if !needsWriter(s) {
		return
	}
	for _, name := range []string{store.JournalName("one", 1), "one.rec"} {
		if err := s.Writer.Put(t.Context(), name, []byte("x")); !errors.Is(err, store.ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func bound(t *testing.T, s Subject) {
	if !needsWriter(s) {
		return
	}
	if err := s.Writer.Put(t.Context(), store.SegmentName("one", 1), make([]byte, store.MaxObject+1)); err == nil {
		t.Error("an object without bound was put")
	}
}

func cancelled(t *testing.T, s Subject) {
	if !needsWriter(s) {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	name := store.SegmentName("one", 1)
	if err := s.Writer.Put(ctx, name, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Reader.Open(t.Context(), name, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
}

func removal(t *testing.T, s Subject) {
	if s.Remover == nil {
		return
	}
	if err := s.Remover.Remove(t.Context()); err != nil {
		t.Fatalf("of nothing: %v", err)
	}
	for _, name := range []string{store.SegmentName("one", 1), store.SignatureName("one", 1), store.SegmentName("two", 1)} {
		s.add(t, name, []byte("x"))
	}
	s.Plant(t, "old.rec", []byte("x"))
	s.Plant(t, "one/stray", []byte("x"))
	for range 2 {
		if err := s.Remover.Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sessions, err := s.Reader.Sessions(t.Context()); err != nil || len(sessions) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
	s.add(t, store.SegmentName("one", 1), []byte("anew"))
	expect(t, s.Reader, store.SegmentName("one", 1), []byte("anew"))
}
