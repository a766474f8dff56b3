package record_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// sink takes writes, and says that one came.
type sink struct {
	mu    sync.Mutex
	taken bytes.Buffer
	fail  error
	wrote chan struct{}
}

func newSink() *sink { return &sink{wrote: make(chan struct{}, 16)} }

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	s.wrote <- struct{}{}
	return s.taken.Write(p)
}

func (s *sink) events(t *testing.T) int64 {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	summary, err := record.VerifyFile(bytes.NewReader(s.taken.Bytes()), record.Expectation{Session: start.Session, RequestUID: start.RequestUID})
	if _, unfinished := errors.AsType[*record.IncompleteError](err); err != nil && !unfinished {
		t.Fatal(err)
	}
	return summary.Head.Sequence
}

func result() record.Event {
	return record.Event{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1"}}
}

func TestALateEventIsWrittenWithTheNextOneInTheirOrder(t *testing.T) {
	t.Parallel()
	out := newSink()
	w, err := record.NewFileWriter(out, start, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	<-out.wrote
	before := w.Head()
	if err := w.AppendLater(result()); err != nil {
		t.Fatal(err)
	}
	if w.Head() != before && out.events(t) < w.Head().Sequence {
		t.Error("a head is told that is not written")
	}
	if _, err := w.Append(record.Event{Type: record.EventNotice, Notice: "next"}); err != nil {
		t.Fatal(err)
	}
	if n := out.events(t); n != 3 {
		t.Errorf("%d events", n)
	}
}

func TestALateEventIsWrittenByItselfSoon(t *testing.T) {
	t.Parallel()
	out := newSink()
	w, err := record.NewFileWriter(out, start, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	<-out.wrote
	for want := int64(2); want < 4; want++ {
		if err := w.AppendLater(result()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-out.wrote:
		case <-time.After(10 * time.Second):
			t.Fatal("it is not written")
		}
		if n := out.events(t); n != want {
			t.Errorf("%d events", n)
		}
	}
}

func TestALateEventThatCannotBeWrittenFailsTheNext(t *testing.T) {
	t.Parallel()
	out := newSink()
	w, err := record.NewFileWriter(out, start, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	out.mu.Lock()
	out.fail = errors.New("no space left")
	out.mu.Unlock()
	if err := w.AppendLater(result()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(result()); !errors.Is(err, out.fail) {
		t.Error(err)
	}
	if err := w.AppendLater(result()); !errors.Is(err, out.fail) {
		t.Error(err)
	}
}
