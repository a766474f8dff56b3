// Package conformance is what every store of recordings promises, as tests.
package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record/store"
)

// Subject is a store under test: one task's, empty.
type Subject struct {
	Reader store.Reader
	// Writer is nil if the store is only read.
	Writer store.Writer
	// Remover is nil if the store is not removed.
	Remover store.Remover
	// Another reads another task of the same store.
	Another store.Reader
	// Many objects take more than one answer to list; 0 if a list is one answer.
	Many int
	// Plant puts an object there behind the store's back, under any name.
	Plant func(t *testing.T, name string, content []byte)
}

// Run tests a kind of store; a test asks for an empty one.
func Run(t *testing.T, empty func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"AnObjectIsReadFromAnyOffset":             reading,
		"ObjectsAreListedBySession":               listing,
		"AListOfManyPagesIsWhole":                 pages,
		"WhatIsNotThereIsNotFound":                missing,
		"REC3_OnlyNamesOfTheGrammarReachTheStore": names,
		"REC3_WhatIsNoRecordingIsNotThere":        strangers,
		"LIFE6_AnotherTaskSeesNothing":            isolation,
		"AnObjectIsWrittenOnce":                   once,
		"OfConcurrentWritersOneWins":              race,
		"JournalsAndLegacyRecordingsAreNotPut":    kinds,
		"AnObjectHasABound":                       bound,
		"WorkThatIsCancelledEnds":                 cancelled,
		"RemoveLeavesNothing":                     removal,
		"TheSameBytesMayBePutAgain":               again,
		"ObjectsOfManySizesComeBackAsTheyWere":    sizes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, empty(t))
		})
	}
}

// add stores an object as the subject can.
func (s Subject) add(t *testing.T, name string, content []byte) {
	t.Helper()
	if s.Writer == nil {
		s.Plant(t, name, content)
		return
	}
	if err := s.Writer.Put(t.Context(), name, content); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

// needsWriter: stores that are only read have nothing to say here.
func needsWriter(s Subject) bool { return s.Writer != nil }

// read is the rest of an object.
func read(ctx context.Context, r store.Reader, name string, offset int64) ([]byte, error) {
	in, err := r.Open(ctx, name, offset)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(in)
	return content, errors.Join(err, in.Close())
}

// expect compares an object with what it should be.
func expect(t *testing.T, r store.Reader, name string, want []byte) {
	t.Helper()
	if got, err := read(t.Context(), r, name, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
	}
}

// pattern is content that shows where it was cut or mixed.
func pattern(seed, size int) []byte {
	content := make([]byte, 0, size+16)
	for line := 0; len(content) < size; line++ {
		content = fmt.Appendf(content, "%d:%d\n", seed, line)
	}
	return content[:size]
}

func reading(t *testing.T, s Subject) {
	name := store.SegmentName("one", 1)
	s.add(t, name, []byte("0123456789"))
	for offset, want := range map[int64]string{0: "0123456789", 1: "123456789", 9: "9", 10: "", 11: "", 1 << 40: ""} {
		if got, err := read(t.Context(), s.Reader, name, offset); err != nil || string(got) != want {
			t.Errorf("from %d: %q, %v", offset, got, err)
		}
	}
	if _, err := s.Reader.Open(t.Context(), name, -1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("from -1: %v", err)
	}
}

func sizes(t *testing.T, s Subject) {
	for number, size := range []int{0, 1, 4095, 1 << 20, 5<<20 + 1, 17 << 20} {
		name, content := store.SegmentName("one", number+1), pattern(number, size)
		s.add(t, name, content)
		expect(t, s.Reader, name, content)
	}
}

func listing(t *testing.T, s Subject) {
	for _, name := range []string{store.SegmentName("b", 2), store.SegmentName("b", 10), store.SegmentName("b", 1), store.SignatureName("b", 1), store.SegmentName("a-b", 1)} {
		s.add(t, name, []byte(name))
	}
	for _, name := range []string{store.JournalName("b", 11), store.JournalName("c", 1), "0.rec", "b.rec"} {
		s.Plant(t, name, []byte("planted"))
	}
	sessions, err := s.Reader.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0", "a-b", "b", "c"}, sessions); diff != "" {
		t.Errorf("sessions: %s", diff)
	}
	for session, want := range map[string][]store.Object{
		"b": {
			{Name: "b.rec", Size: 7}, {Name: "b/00000001.seg", Size: 14}, {Name: "b/00000001.sig", Size: 14}, {Name: "b/00000002.seg", Size: 14},
			{Name: "b/00000010.seg", Size: 14}, {Name: "b/journal-00000011", Size: 7},
		},
		"a-b": {{Name: "a-b/00000001.seg", Size: 16}},
		"c":   {{Name: "c/journal-00000001", Size: 7}},
		"0":   {{Name: "0.rec", Size: 7}},
	} {
		objects, err := s.Reader.List(t.Context(), session)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, objects); diff != "" {
			t.Errorf("session %s: %s", session, diff)
		}
	}
	expect(t, s.Reader, "b.rec", []byte("planted"))
	expect(t, s.Reader, "b/journal-00000011", []byte("planted"))
}

// pages has more objects than one answer of an object store names.
func pages(t *testing.T, s Subject) {
	var want []store.Object
	for number := range max(s.Many, 100) {
		name := store.SegmentName("one", number+1)
		s.Plant(t, name, []byte("x"))
		want = append(want, store.Object{Name: name, Size: 1})
	}
	objects, err := s.Reader.List(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, objects); diff != "" {
		t.Error(diff)
	}
}

func missing(t *testing.T, s Subject) {
	if sessions, err := s.Reader.Sessions(t.Context()); err != nil || len(sessions) != 0 {
		t.Errorf("sessions of an empty store: %v, %v", sessions, err)
	}
	s.add(t, store.SegmentName("one", 1), []byte("x"))
	for _, name := range []string{store.SegmentName("one", 2), store.SegmentName("on", 1), store.JournalName("one", 1), "one.rec"} {
		if _, err := s.Reader.Open(t.Context(), name, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, session := range []string{"two", "on", "one-1"} {
		if _, err := s.Reader.List(t.Context(), session); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", session, err)
		}
	}
}
