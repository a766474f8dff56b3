package harness

import (
	"context"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Stream is a client that receives without end. Of what it received the amount is
// kept, and when the first and the last of it came.
type Stream struct {
	Err *Transcript

	mu          sync.Mutex
	bytes       int64
	first, last time.Time
	begun       chan struct{}
	exited      chan struct{}
}

// Write takes what was received.
func (s *Stream) Write(b []byte) (int, error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes == 0 {
		s.first = now
		close(s.begun)
	}
	s.bytes += int64(len(b))
	s.last = now
	return len(b), nil
}

// Stream runs one statement through `kubectl access psql`, until its end or the
// test's.
func (k *Task) Stream(t testing.TB, statement string) *Stream {
	t.Helper()
	args := append([]string{"access", "psql", k.Name, "-n", k.Domain.Namespace, "--"}, quietly...)
	command := k.Requester.command(context.WithoutCancel(t.Context()), append(args, "--command", statement)...)
	s := &Stream{Err: newTranscript(), begun: make(chan struct{}), exited: make(chan struct{})}
	command.Stdout, command.Stderr = s, s.Err
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go s.wait(command)
	t.Cleanup(func() { end(command, s.exited) })
	return s
}

func (s *Stream) wait(command *exec.Cmd) {
	defer close(s.exited)
	_ = command.Wait()
}

// First waits for the first byte, and returns when it came.
func (s *Stream) First(t testing.TB) time.Time {
	t.Helper()
	s.await(t, s.begun, "the first byte")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// Last waits for the end, and returns when the last byte came.
func (s *Stream) Last(t testing.TB) time.Time {
	t.Helper()
	s.await(t, s.exited, "the end")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *Stream) await(t testing.TB, event <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(Patience):
		t.Fatalf("%s of a stream has not come after %v: %s", what, Patience, s.Err)
	case <-t.Context().Done():
		t.Fatal("interrupted while streaming")
	}
}
