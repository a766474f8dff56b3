package record_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
)

// file is the recording of a version before 1.0.
func file(t testing.TB, version string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", version, "session.rec"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// session is the newest of them, and its head after each event.
func session(t testing.TB) ([]byte, []record.Head) {
	t.Helper()
	data := file(t, "0.2")
	r, err := record.NewFileReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var heads []record.Head
	for {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			return data, heads
		}
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, r.Head())
	}
}

func verify(data []byte, head *record.Head) (record.Summary, error) {
	var expect record.Expectation
	if head != nil {
		expect.Heads = []record.Head{*head}
	}
	return verifyAs(data, expect)
}

func verifyAs(data []byte, expect record.Expectation) (record.Summary, error) {
	r := recording{}
	r.put(start.Session+".rec", data)
	return check(r, expect)
}

func TestREC2_AFlippedByteOfAFileIsFoundAndPlaced(t *testing.T) {
	t.Parallel()
	data, _ := session(t)
	for i := range data {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			bad := bytes.Clone(data)
			bad[i] ^= bit
			_, err := verify(bad, nil)
			var corrupt *record.CorruptError
			if errors.Is(err, record.ErrVersion) {
				continue // The version itself was hit.
			}
			if !errors.As(err, &corrupt) {
				t.Fatalf("byte %d of %q flipped by %#x: %v", i, line(data, i), bit, err)
			}
			want := int64(bytes.Count(data[:i], []byte{'\n'}) + 1)
			// A changed header may show only in the first hash, which begins with it.
			if corrupt.Line != want && (want != 1 || corrupt.Line != 2) {
				t.Fatalf("byte %d is in line %d, but said to be in %d: %v", i, want, corrupt.Line, err)
			}
			if begin := bytes.LastIndexByte(data[:i], '\n') + 1; want > 1 && corrupt.Offset != int64(begin) {
				t.Fatalf("byte %d is in the line from byte %d, but said to be in that from %d", i, begin, corrupt.Offset)
			}
		}
	}
}

func line(data []byte, i int) string {
	return string(bytes.Split(data, []byte{'\n'})[bytes.Count(data[:i], []byte{'\n'})])
}

func TestREC2_LinesOfAFileDroppedSwappedOrDoubledAreFound(t *testing.T) {
	t.Parallel()
	data, _ := session(t)
	lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	check := func(what string, at int, changed []string) {
		t.Helper()
		var corrupt *record.CorruptError
		if _, err := verify([]byte(strings.Join(changed, "")), nil); !errors.As(err, &corrupt) {
			t.Errorf("line %d %s: %v", at+1, what, err)
		}
	}
	for i := range lines {
		check("doubled", i, slices.Insert(slices.Clone(lines), i, lines[i]))
		if i == len(lines)-1 {
			continue
		}
		check("dropped", i, slices.Delete(slices.Clone(lines), i, i+1))
		swapped := slices.Clone(lines)
		swapped[i], swapped[i+1] = lines[i+1], lines[i]
		check("swapped", i, swapped)
	}
}

func TestREC2_ACutFileIsIncompleteNeverValid(t *testing.T) {
	t.Parallel()
	data, heads := session(t)
	for n := range data {
		_, err := verify(data[:n], nil)
		if _, ok := errors.AsType[*record.IncompleteError](err); !ok {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
		if _, err := verify(data[:n], &heads[len(heads)-1]); !isCorrupt(err) {
			t.Fatalf("cut after %d bytes, with the last head known: %v", n, err)
		}
	}
}

func TestREC2_AnUnfinishedTailOfAFileIsToldFromTampering(t *testing.T) {
	t.Parallel()
	data, heads := session(t)
	lines := bytes.SplitAfter(data, []byte{'\n'})
	running := bytes.Join(lines[:5], nil)

	// The proxy died within a write: the head that it reported is there.
	if _, err := verify(append(bytes.Clone(running), lines[5][:20]...), &heads[3]); isCorrupt(err) || err == nil {
		t.Errorf("died within a write: %v", err)
	}
	// Somebody cut events that had been reported.
	if _, err := verify(running, &heads[4]); !isCorrupt(err) {
		t.Errorf("cut at the border of a line: %v", err)
	}
	// Something follows the end.
	for _, tail := range []string{"x", string(lines[1]), "\n"} {
		if _, err := verify(append(bytes.Clone(data), tail...), nil); !isCorrupt(err) {
			t.Errorf("%q after the end: %v", tail, err)
		}
	}
}

func TestREC2_AFileWrittenAnewDisagreesWithItsHeads(t *testing.T) {
	t.Parallel()
	_, heads := session(t)
	forged := file(t, "0.1") // another session's content, of the same name
	if _, err := verify(forged, nil); err != nil {
		t.Fatalf("its own chain is whole: %v", err)
	}
	for i := 1; i < len(heads); i++ {
		if _, err := verify(forged, &heads[i]); !isCorrupt(err) {
			t.Errorf("against head %d: %v", heads[i].Sequence, err)
		}
	}
}

func TestREC2_OneSessionsRecordingIsNotAnothers(t *testing.T) {
	t.Parallel()
	data, _ := session(t)
	for _, expect := range []record.Expectation{{Session: "another"}, {RequestUID: "another"}} {
		if _, err := verifyAs(data, expect); !isCorrupt(err) {
			t.Errorf("%+v: %v", expect, err)
		}
	}
}

func TestAReaderIsNotBloatedByALineWithoutEnd(t *testing.T) {
	t.Parallel()
	data, _ := session(t)
	first := bytes.SplitAfter(data, []byte{'\n'})[0]
	if _, err := verify(append(bytes.Clone(first), bytes.Repeat([]byte{'x'}, 3<<20)...), nil); !isCorrupt(err) {
		t.Error(err)
	}
}

func isCorrupt(err error) bool {
	var corrupt *record.CorruptError
	return errors.As(err, &corrupt)
}
