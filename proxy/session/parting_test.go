package session_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// parted is a session whose engine has something to say to the target at its end.
func parted(t *testing.T) (task *sessiontest.Task, s *session.Session, target, far net.Conn, done func()) {
	t.Helper()
	near, far := net.Pipe()
	task = sessiontest.New(t, granted(), func(o *session.Options) {
		o.Dial = func(context.Context, grant.Grant, map[string]string) (net.Conn, error) { return near, nil }
	})
	s = task.Begin(t)
	target, err := s.Dial(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return task, s, target, far, s.Parting()
}

func TestLIFE1_AnEngineMaySpeakWithTheTargetOnceMoreAndNobodyElse(t *testing.T) {
	t.Parallel()
	task, s, target, far, done := parted(t)
	task.Update(sessiontest.Ended(task.Key))
	_ = cause(t, s)
	if _, err := s.Admit(t.Context(), read("orders")); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
	if err := s.Stream(t.Context(), 1, []byte("more")); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
	go func() { _, _ = target.Write([]byte("!")) }()
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	done()
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := target.Write([]byte("!")); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
}

func TestLIFE1_AnEngineThatDoesNotPartIsCutOff(t *testing.T) {
	t.Parallel()
	task, s, _, far, _ := parted(t)
	task.Update(sessiontest.Ended(task.Key))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := s.Close(nil); err != nil {
		t.Error(err)
	}
}

func TestAWayThatHasPartedBeforeTheSessionsEndTakesNothing(t *testing.T) {
	t.Parallel()
	_, _, target, _, done := parted(t)
	done()
	if _, err := target.Write([]byte("!")); err == nil {
		t.Error("it went to the target")
	}
}
