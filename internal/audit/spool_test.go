package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// all takes every line of a spool.
func all(t tb, s *spool) []string {
	t.Helper()
	lines := []string{}
	for {
		line, err := s.next()
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		if line == nil {
			return lines
		}
		lines = append(lines, string(line))
		if err := s.done(line); err != nil {
			t.Fatalf("done: %v", err)
		}
	}
}

func mustOpen(t tb, dir string, limit int64) *spool {
	t.Helper()
	s, err := openSpool(dir, limit)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// TestASpoolIsAQueueThatSurvives compares a spool with a queue in memory, over any
// sequence of appends, takes and ends of the process, orderly or not.
func TestASpoolIsAQueueThatSurvives(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		dir := filepath.Join(root, fmt.Sprint(run))
		s := mustOpen(t, dir, 4000)
		var model []string
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var batch [][]byte
				for range rapid.IntRange(1, 5).Draw(t, "lines") {
					n++
					batch = append(batch, []byte(fmt.Sprintf("%d %s", n, strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "size")))))
				}
				taken, err := s.append(batch)
				if (taken < len(batch)) != errors.Is(err, errSpoolFull) {
					t.Fatalf("%d of %d lines, and %v", taken, len(batch), err)
				}
				for _, line := range batch[:taken] {
					model = append(model, string(line))
				}
			},
			"take": func(t *rapid.T) {
				line, err := s.next()
				if err != nil {
					t.Fatalf("next: %v", err)
				}
				if len(model) == 0 {
					if line != nil {
						t.Fatalf("%q came out of an empty spool", line)
					}
					return
				}
				if string(line) != model[0] {
					t.Fatalf("%q, want %q", line, model[0])
				}
				if err := s.done(line); err != nil {
					t.Fatalf("done: %v", err)
				}
				model = model[1:]
			},
			"end": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "orderly") {
					_ = s.close()
				} else {
					// The kernel takes a dead process's lock away; what another test forks
					// meanwhile has it, too, until it runs.
					_ = errors.Join(syscall.Flock(int(s.place.Fd()), syscall.LOCK_UN), s.place.Close())
				}
				s = mustOpen(t, dir, 4000)
			},
			"": func(t *rapid.T) {
				if s.length() != int64(len(model)) {
					t.Fatalf("%d wait, want %d", s.length(), len(model))
				}
			},
		})
		if diff := cmp.Diff(append([]string{}, model...), all(t, s)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		_ = s.close()
	})
}

func TestATornLineIsPassedOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, 1<<20)
	if _, err := s.append([][]byte{[]byte("one"), []byte("two")}); err != nil {
		t.Fatal(err)
	}
	_ = s.close()
	torn, err := os.OpenFile(s.name(1), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = torn.WriteString("thr")
	_ = torn.Close()
	s = mustOpen(t, dir, 1<<20)
	if _, err := s.append([][]byte{[]byte("four")}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two", "four"}, all(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPlaceThatIsNoneTellsTheSegmentAgain(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]string{
		"torn": "000000000000", "empty": "", "between lines": fmt.Sprintf("%020d %020d\n", 1, 2), "past the end": fmt.Sprintf("%020d %020d\n", 1, 99),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := mustOpen(t, dir, 1<<20)
			if _, err := s.append([][]byte{[]byte("one"), []byte("two")}); err != nil {
				t.Fatal(err)
			}
			_ = s.close()
			if err := os.WriteFile(filepath.Join(dir, "place"), []byte(place), 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"one", "two"}, all(t, mustOpen(t, dir, 1<<20))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFailedWriteIsWrittenAnewAndReadOnce(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir(), 1<<20)
	if _, err := s.append([][]byte{[]byte("one")}); err != nil {
		t.Fatal(err)
	}
	// The disk takes nothing more of this segment.
	_ = s.out.Close()
	if n, err := s.append([][]byte{[]byte("two")}); err == nil || n != 0 {
		t.Fatalf("%d lines, %v", n, err)
	}
	if _, err := s.append([][]byte{[]byte("two")}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, all(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatWasTakenLeavesTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, 4000)
	for n := range 200 {
		if _, err := s.append([][]byte{[]byte(strings.Repeat("x", 200))}); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		all(t, s)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil || len(left) > 1 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestASpoolHasOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, 1<<20)
	if _, err := openSpool(dir, 1<<20); err == nil || !strings.Contains(err.Error(), "each replica") {
		t.Errorf("a second one opened it: %v", err)
	}
	_ = s.close()
	_ = mustOpen(t, dir, 1<<20).close()
}
