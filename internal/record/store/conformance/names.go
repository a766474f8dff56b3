package conformance

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record/store"
)

func names(t *testing.T, s Subject) {
	for _, name := range []string{"", ".", "..", "/", "one", "one/", "../one/00000001.seg", "one/../two/00000001.seg", "one/1.seg", "one/00000001.seg\x00", "one/00000000.seg", "one//00000001.seg", "one/00000001.seg/x", "one/00000001.rec"} {
		if _, err := s.Reader.Open(t.Context(), name, 0); !errors.Is(err, store.ErrName) {
			t.Errorf("open %q: %v", name, err)
		}
		if s.Writer == nil {
			continue
		}
		if err := s.Writer.Put(t.Context(), name, []byte("x")); !errors.Is(err, store.ErrName) {
			t.Errorf("put %q: %v", name, err)
		}
	}
	for _, session := range []string{"", ".", "..", "../one", "a/b", "a\x00", "one.rec", "-a", "*"} {
		if _, err := s.Reader.List(t.Context(), session); !errors.Is(err, store.ErrIdentifier) {
			t.Errorf("list %q: %v", session, err)
		}
	}
}

func strangers(t *testing.T, s Subject) {
	s.add(t, store.SegmentName("one", 1), []byte("x"))
	for _, name := range []string{"one/1.seg", "one/.put-A", "one/deeper/00000001.seg", "one/00000002.seg.bak", "-odd/00000001.seg", "readme", "a b.rec", ".hidden.rec"} {
		s.Plant(t, name, []byte("planted"))
	}
	sessions, err := s.Reader.Sessions(t.Context())
	if diff := cmp.Diff([]string{"one"}, sessions); err != nil || diff != "" {
		t.Errorf("sessions: %v %s", err, diff)
	}
	objects, err := s.Reader.List(t.Context(), "one")
	if diff := cmp.Diff([]store.Object{{Name: "one/00000001.seg", Size: 1}}, objects); err != nil || diff != "" {
		t.Errorf("objects: %v %s", err, diff)
	}
}

func isolation(t *testing.T, s Subject) {
	s.add(t, store.SegmentName("one", 1), []byte("x"))
	if sessions, err := s.Another.Sessions(t.Context()); err != nil || len(sessions) != 0 {
		t.Errorf("sessions: %v, %v", sessions, err)
	}
	if objects, err := s.Another.List(t.Context(), "one"); err == nil {
		t.Errorf("objects: %v", objects)
	}
	if in, err := s.Another.Open(t.Context(), store.SegmentName("one", 1), 0); err == nil {
		t.Errorf("it was opened: %v", in.Close())
	}
}
