package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// corrupted is the corruption that an error tells of.
func corrupted(t testing.TB, what string, err error) *record.CorruptError {
	t.Helper()
	var corrupt *record.CorruptError
	if !errors.As(err, &corrupt) {
		t.Fatalf("%s: %v", what, err)
	}
	return corrupt
}

// expectations are the ways in which a recording can be checked: the manager's signatures
// with and without reading the events, or the recording alone.
func variants(t *testing.T, run func(t *testing.T, w written, r recording, expect record.Expectation, signed bool)) {
	t.Helper()
	for name, v := range map[string]struct{ encrypted, blind, signed bool }{
		"signed": {signed: true}, "unsigned": {}, "encrypted": {encrypted: true, signed: true},
		"encrypted and not opened": {encrypted: true, blind: true, signed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options record.Options
			if v.encrypted {
				options.Recipients = recipients()
			}
			w := write(t, options, everything()...)
			r, expect := w.sealed(), expected(w)
			if v.blind {
				expect.Identities = nil
			}
			if !v.signed {
				expect.Keys, expect.Heads = nil, nil
				for _, name := range r.names() {
					if strings.HasSuffix(name, ".sig") {
						delete(r, name)
					}
				}
			}
			if _, err := check(r, expect); err != nil {
				t.Fatal(err)
			}
			run(t, w, r, expect, v.signed)
		})
	}
}

func TestREC2_AFlippedByteOfAnyObjectIsFoundAndPlaced(t *testing.T) {
	t.Parallel()
	variants(t, func(t *testing.T, _ written, r recording, expect record.Expectation, signed bool) {
		t.Helper()
		for _, name := range r.names() {
			parsed, err := store.ParseName(name)
			if err != nil {
				t.Fatal(err)
			}
			for i := range r[name].Data {
				for _, bit := range []byte{0x01, 0x80}[i%2 : 1+i%2] {
					bad := r.clone()
					bad[name].Data[i] ^= bit
					_, err := check(bad, expect)
					if errors.Is(err, record.ErrVersion) && !signed {
						continue // the version itself was hit
					}
					what := fmt.Sprintf("byte %d of %s flipped by %#x", i, name, bit)
					corrupt := corrupted(t, what, err)
					if corrupt.Segment != parsed.Number {
						t.Fatalf("%s: %v", what, corrupt)
					}
					if corrupt.Kind != record.Flip && parsed.Kind == store.KindSegment && signed {
						t.Fatalf("%s: %v", what, corrupt)
					}
					if corrupt.Object != strings.TrimPrefix(name, start.Session+"/") || corrupt.Offset > int64(i) {
						t.Fatalf("%s: %v in %s", what, corrupt, corrupt.Object)
					}
				}
			}
		}
	})
}

func TestREC2_AnObjectCutAtAnyLengthIsFound(t *testing.T) {
	t.Parallel()
	variants(t, func(t *testing.T, _ written, r recording, expect record.Expectation, signed bool) {
		t.Helper()
		for _, name := range r.names() {
			for length := range len(r[name].Data) {
				bad := r.clone()
				bad[name].Data = bad[name].Data[:length]
				what := fmt.Sprintf("%s cut to %d bytes", name, length)
				_, err := check(bad, expect)
				corrupt := corrupted(t, what, err)
				if strings.HasSuffix(name, ".seg") && (signed || length > 400) && corrupt.Kind != record.Truncate {
					t.Fatalf("%s: %v", what, corrupt)
				}
			}
			bad := r.clone()
			bad[name].Data = append(bad[name].Data, 'x')
			_, err := check(bad, expect)
			if corrupt := corrupted(t, name+" with a byte more", err); strings.HasSuffix(name, ".seg") && corrupt.Kind != record.Append {
				t.Errorf("%s with a byte more: %v", name, corrupt)
			}
		}
	})
}

func names(segment int) []string {
	return []string{store.SegmentName(start.Session, segment), store.SignatureName(start.Session, segment)}
}

func TestREC2_ASegmentDroppedIsFound(t *testing.T) {
	t.Parallel()
	variants(t, func(t *testing.T, w written, r recording, expect record.Expectation, signed bool) {
		t.Helper()
		for segment := 1; segment <= 3; segment++ {
			for count := 1; count <= 2; count++ { // alone, and with its signature
				bad := r.clone()
				for _, name := range names(segment)[:count] {
					delete(bad, name)
				}
				_, err := check(bad, expect)
				if segment == 3 && !signed {
					if incomplete := (*record.IncompleteError)(nil); !errors.As(err, &incomplete) {
						t.Errorf("the end dropped: %v", err)
					}
					_, err = check(bad, record.Expectation{Heads: w.heads})
				}
				if corrupt := corrupted(t, fmt.Sprint("drop ", segment), err); corrupt.Kind != record.Drop || corrupt.Segment != segment {
					t.Errorf("segment %d: %v", segment, corrupt)
				}
			}
			if segment < 3 { // and the later ones moved up
				bad := r.clone()
				for later := segment; later < 3; later++ {
					for i, name := range names(later) {
						if from := bad[names(later + 1)[i]]; from != nil {
							bad.put(name, from.Data)
						}
					}
				}
				for _, name := range names(3) {
					delete(bad, name)
				}
				_, err := check(bad, expect)
				if corrupt := corrupted(t, fmt.Sprint("drop ", segment), err); corrupt.Kind != record.Drop && corrupt.Kind != record.Reorder || corrupt.Segment != segment {
					t.Errorf("segment %d dropped, later ones moved up: %v", segment, corrupt)
				}
			}
		}
	})
}

func TestREC2_SegmentsSwappedAreFound(t *testing.T) {
	t.Parallel()
	variants(t, func(t *testing.T, _ written, r recording, expect record.Expectation, signed bool) {
		t.Helper()
		for _, pair := range [][2]int{{1, 2}, {2, 3}, {1, 3}} {
			for which := range 3 { // the segments, the signatures, both
				bad := r.clone()
				for i := range 2 {
					a, b := names(pair[0])[i], names(pair[1])[i]
					if bad[a] != nil && (which == i || which == 2) {
						bad[a], bad[b] = bad[b], bad[a]
					}
				}
				if !signed && which == 1 {
					continue
				}
				_, err := check(bad, expect)
				if corrupt := corrupted(t, fmt.Sprint("swap ", pair, which), err); corrupt.Kind != record.Reorder || corrupt.Segment != pair[0] {
					t.Errorf("%v, %d: %v", pair, which, corrupt)
				}
			}
		}
	})
}

func TestREC2_ASegmentDoubledIsFound(t *testing.T) {
	t.Parallel()
	variants(t, func(t *testing.T, _ written, r recording, expect record.Expectation, signed bool) {
		t.Helper()
		for from := 1; from <= 3; from++ {
			for _, to := range []int{1, 2, 3, 4} { // over another, and behind the end
				if to == from || to == 4 && signed { // a signed end stands
					continue
				}
				for count := 1; count <= 2; count++ {
					bad := r.clone()
					for i, name := range names(to)[:count] {
						if source := bad[names(from)[i]]; source != nil {
							bad.put(name, source.Data)
						}
					}
					_, err := check(bad, expect)
					if corrupt := corrupted(t, fmt.Sprint("double ", from, to), err); corrupt.Kind != record.Duplicate || corrupt.Segment != to {
						t.Errorf("%d at %d: %v", from, to, corrupt)
					}
				}
			}
		}
	})
}

func TestREC2_WhatIsOfAnotherSessionOrWasMadeAnewIsFound(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, everything()...)
	short := write(t, record.Options{}, &record.Event{Type: record.EventNotice, Notice: "nothing happened here"}, nil,
		&record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left"}})
	unsigned := short.sealed()
	delete(unsigned, names(1)[1])
	delete(unsigned, names(2)[1])
	if _, err := check(unsigned, record.Expectation{}); err != nil {
		t.Fatalf("its own chain is whole: %v", err)
	}
	_, err := check(unsigned, expected(w))
	if corrupt := corrupted(t, "made anew", err); corrupt.Kind != record.Rewrite {
		t.Error(corrupt)
	}
	// Signed by somebody: only the key that is trusted counts.
	expect := expected(short)
	expect.Keys = nil
	if _, err := check(short.sealed(), expect); err != nil {
		t.Error(err)
	}
	expect.Seals = []record.Signature{parsed(t, w, 1)}
	_, err = check(short.sealed(), expect)
	if corrupt := corrupted(t, "other than the seal in status", err); corrupt.Kind != record.Rewrite || corrupt.Segment != 1 {
		t.Error(corrupt)
	}
	for name, expect := range map[string]record.Expectation{"session": {Session: "another"}, "request": {RequestUID: "another"}} {
		_, err := check(w.sealed(), expect)
		if corrupt := corrupted(t, name, err); corrupt.Kind != record.Foreign {
			t.Errorf("%s: %v", name, corrupt)
		}
	}
	mixed := w.sealed()
	mixed.put(names(2)[0], unsigned[names(2)[0]].Data)
	delete(mixed, names(2)[1])
	_, err = check(mixed, record.Expectation{})
	if corrupt := corrupted(t, "a segment of another life", err); corrupt.Kind != record.Rewrite || corrupt.Segment != 2 {
		t.Error(corrupt)
	}
}

func parsed(t testing.TB, w written, segment int) record.Signature {
	t.Helper()
	signature, err := record.ParseSignature(w.recording[names(segment)[1]].Data)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// running is a session of one sealed segment, and a journal.
func running(t *testing.T) (w written, r recording, journal string) {
	t.Helper()
	w = write(t, record.Options{}, everything()[:11]...)
	r, journal = w.clone(), store.JournalName(start.Session, 2)
	for _, name := range names(2) {
		delete(r, name)
	}
	if r[journal] == nil || len(r) != 3 {
		t.Fatal(r.names())
	}
	return w, r, journal
}

func TestREC2_AnUnfinishedJournalIsToldFromTampering(t *testing.T) {
	t.Parallel()
	w, r, journal := running(t)
	data := bytes.TrimRight(r[journal].Data, "\x00")
	events := w.heads[len(w.heads)-1].Sequence
	for length := range len(data) + 1 {
		for _, padding := range []int{0, 100} {
			cut := r.clone()
			cut.put(journal, append(data[:length:length], make([]byte, padding)...))
			var incomplete *record.IncompleteError
			summary, err := check(cut, record.Expectation{Keys: trusted})
			if !errors.As(err, &incomplete) || incomplete.Events != summary.Head.Sequence {
				t.Fatalf("cut to %d bytes: %+v, %v", length, summary, err)
			}
			whole := int64(bytes.Count(data[:length], []byte{'\n'}))
			if want := 6 + max(whole-1, 0); incomplete.Events != want {
				t.Fatalf("cut to %d bytes: %d events, want %d", length, incomplete.Events, want)
			}
			// It was reported that there are more.
			_, err = check(cut, expected(w))
			if incomplete.Events == events {
				if !errors.As(err, &incomplete) {
					t.Fatalf("whole: %v", err)
				}
				continue
			}
			if corrupt := corrupted(t, fmt.Sprint("cut to ", length), err); corrupt.Kind != record.Truncate && corrupt.Kind != record.Drop || corrupt.Event != 7+max(whole-1, 0) {
				t.Fatalf("cut to %d bytes: %v", length, corrupt)
			}
		}
	}
}

func TestREC2_AChangedJournalDisagreesWithWhatWasReported(t *testing.T) {
	t.Parallel()
	w, r, journal := running(t)
	data := bytes.TrimRight(r[journal].Data, "\x00")
	for i := range data {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			bad := r.clone()
			bad[journal].Data[i] ^= bit
			_, err := check(bad, expected(w))
			if corrupt := corrupted(t, fmt.Sprintf("byte %d", i), err); corrupt.Segment != 2 {
				t.Fatalf("byte %d: %v", i, corrupt)
			}
		}
	}
	lines := bytes.SplitAfter(data, []byte{'\n'})
	for i := 1; i < len(lines)-2; i++ {
		for kind, changed := range map[record.Corruption][][]byte{
			record.Drop:      slices.Delete(slices.Clone(lines), i, i+1),
			record.Duplicate: slices.Insert(slices.Clone(lines), i, lines[i]),
		} {
			bad := r.clone()
			bad.put(journal, bytes.Join(changed, nil))
			_, err := check(bad, record.Expectation{})
			if corrupt := corrupted(t, fmt.Sprintf("%s line %d", kind, i), err); corrupt.Kind != kind || corrupt.Offset == 0 {
				t.Errorf("line %d: %v", i, corrupt)
			}
		}
	}
}
