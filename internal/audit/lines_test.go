package audit

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
)

func TestStdoutGetsOneEventALine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := newWorld(t, nil)
	w.stdout = &out
	s, stop := w.start(t, "--audit-sink=stdout")
	first, second := numbered("a", 1), numbered("b", 2)
	s.Emit(first, second)
	stop()
	if diff := cmp.Diff([]string{first.ID, second.ID}, ids(splitLines(t, out.Bytes()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFullFileTurnsOverAndNoneIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	path := filepath.Join(w.dir, "audit.jsonl")
	f := &file{path: path, limit: 500, keep: 3}
	want := []string{}
	for n := range 12 {
		line, err := encode(testSource, numbered("task", n))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.write([]entry{{line: line}}); err != nil {
			t.Fatal(err)
		}
		want = append(want, numbered("task", n).ID)
	}
	kept := []string{}
	for _, name := range []string{path + ".3", path + ".2", path + ".1", path} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, ids(splitLines(t, content))...)
	}
	if diff := cmp.Diff(want[len(want)-len(kept):], kept); diff != "" || len(kept) < 6 {
		t.Errorf("of 12 the newest %d are kept (-want +got):\n%s", len(kept), diff)
	}
	if _, err := os.Stat(path + ".4"); err == nil {
		t.Error("more files are kept than said")
	}
}

func TestAFileThatWasMovedAwayIsBegunAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	path := filepath.Join(w.dir, "audit.jsonl")
	s, stop := w.start(t, "--audit-sink=file:"+path)
	first, second := numbered("a", 1), numbered("a", 2)
	s.Emit(first)
	eventually(t).Eventually(func() float64 { return w.count(t, "delivered") }, 10*time.Second).Should(gomega.Equal(1.0))
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	s.Emit(second)
	stop()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{second.ID}, ids(splitLines(t, content))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// stuck is a stdout that nobody reads until the test says so.
type stuck struct {
	release chan struct{}
	mu      sync.Mutex
	bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

func TestEmitNeverWaitsForASinkThatIsStuck(t *testing.T) {
	t.Parallel()
	out := &stuck{release: make(chan struct{})}
	w := newWorld(t, nil)
	w.stdout = out
	s, stop := w.start(t, "--audit-sink=stdout")
	emitted := 0
	words := strings.Repeat("x", 8000)
	for n := range 2000 {
		s.Emit(New(OperationDenied, Subject{Namespace: "n", Request: "r"}, time.Unix(1700000000, 0), Operation{Text: words}, string(rune(n))))
		emitted++
	}
	dropped := w.count(t, "dropped")
	if dropped == 0 {
		t.Fatal("16 MB fit into a queue of 4 MiB")
	}
	close(out.release)
	// The gap is told where it is: behind all that came before it.
	eventually(t).Eventually(func() bool {
		out.mu.Lock()
		defer out.mu.Unlock()
		return strings.Contains(out.String(), string(StreamDropped))
	}, 10*time.Second).Should(gomega.BeTrue())
	after := numbered("r", 1)
	s.Emit(after)
	stop()
	events := splitLines(t, out.Bytes())
	if got, want := len(events), emitted-int(dropped)+2; got != want {
		t.Errorf("%d events, want %d: what was not dropped, the gap, and one more", got, want)
	}
	gap := events[len(events)-2]
	if gap.Type != StreamDropped || gap.Data["count"] != dropped || events[len(events)-1].ID != after.ID {
		t.Errorf("the end is %v, %v", gap, events[len(events)-1])
	}
}

func TestMoreThanFitsAtOnceIsToldPatiently(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	path := filepath.Join(w.dir, "audit.jsonl")
	s, stop := w.start(t, "--audit-sink=file:"+path)
	words := strings.Repeat("x", 8000)
	for n := range 2000 {
		s.EmitPatiently(New(OperationDenied, Subject{Namespace: "n", Request: "r"}, time.Unix(1700000000, 0), Operation{Text: words}, string(rune(n))))
	}
	stop()
	if dropped, delivered := w.count(t, "dropped"), w.count(t, "delivered"); dropped != 0 || delivered != 2000 {
		t.Errorf("%v dropped, %v delivered", dropped, delivered)
	}
}

func TestPatienceEndsWithASinkThatIsStuck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	out := &stuck{release: make(chan struct{})}
	w.stdout = out
	s, stop := w.start(t, "--audit-sink=stdout")
	defer stop()
	defer close(out.release)
	words := strings.Repeat("x", 8000)
	begun := time.Now()
	for n := range 1000 {
		s.EmitPatiently(New(OperationDenied, Subject{Namespace: "n", Request: "r"}, time.Unix(1700000000, 0), Operation{Text: words}, string(rune(n))))
	}
	if took := time.Since(begun); took > patience*5 {
		t.Errorf("telling 8 MB to a sink that takes nothing took %s", took)
	}
}

type failing struct {
	io.Writer
	mu       sync.Mutex
	failures int
}

func (f *failing) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures > 0 {
		f.failures--
		return 0, io.ErrShortWrite
	}
	return f.Writer.Write(p)
}

func TestASinkThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := newWorld(t, nil)
	w.stdout = &failing{Writer: &out, failures: 5}
	s, stop := w.start(t, "--audit-sink=stdout")
	want := []string{}
	for n := range 10 {
		s.Emit(numbered("a", n))
		want = append(want, numbered("a", n).ID)
	}
	eventually(t).Eventually(func() float64 { return w.count(t, "delivered") }, 10*time.Second).Should(gomega.Equal(10.0))
	stop()
	if diff := cmp.Diff(want, ids(splitLines(t, out.Bytes()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFlagsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"an unknown sink":            {"--audit-sink=syslog"},
		"a file without a path":      {"--audit-sink=file:"},
		"a directory that is none":   {"--audit-sink=file:/nonexistent/audit.jsonl"},
		"a webhook without TLS":      {"--audit-sink=webhook:http://siem.example/audit"},
		"a webhook with a password":  {"--audit-sink=webhook:https://u:hunter2@siem.example/audit"},
		"a secret that is not there": {"--audit-sink=webhook:https://siem.example", "--audit-webhook-secret-file=/nonexistent", "--audit-webhook-secret-file=/nonexistent2"},
		"a spool that is read-only":  {"--audit-sink=webhook:https://siem.example", "--audit-spool-dir=/proc/audit"},
		"a bound of nothing":         {"--audit-sink=stdout", "--audit-spool-mib=0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newWorld(t, nil).open(args...)
			if err == nil {
				t.Fatal("they were taken")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a password: %v", err)
			}
		})
	}
}
