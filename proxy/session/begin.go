package session

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// defaultConcurrent is how many sessions a task may have while its policy is not
// known yet, and where it says nothing.
const defaultConcurrent = 4

// Begin opens the recording. It fails for a client who has not authenticated, and
// when the task has as many sessions as its policy allows. Attributes are the
// protocol's, as it may be recorded; rules see "database", "user" and
// "application_name".
func (s *Session) Begin(_ context.Context, attributes map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.proof == "":
		return ErrNotAuthenticated
	case s.begunWith.Load() != nil:
		return fmt.Errorf("session %s has begun already", s.id)
	}
	if err := s.task.enter(s); err != nil {
		return err
	}
	b := &begun{
		facts: policy.SessionContext{
			User: attributes["user"], Database: attributes["database"], Application: attributes["application_name"],
		},
		how: s.task.State().Recording,
	}
	var err error
	if b.recording, err = s.task.options.Recorder.Begin(s.start(attributes)); err != nil {
		// A nil of a type of its own would not be nil.
		b.recording = nil
		if err := s.notRecorded(b, err); err != nil {
			return err
		}
	}
	s.begunWith.Store(b)
	close(s.begun)
	s.audit(control.AuditEvent{Type: control.AuditSessionBegan, Message: "with " + s.proof})
	s.task.report()
	s.task.options.Log.Info("Session began", "session", s.id, "proof", s.proof)
	return nil
}

// start is the first event of the recording. Callers hold mu.
func (s *Session) start(attributes map[string]string) record.Start {
	task := s.task.State().Task
	return record.Start{
		Session: s.id, RequestUID: task.RequestUID, Request: task.Request, Namespace: task.Namespace,
		Task: task.ID, User: task.Requester, Proof: s.proof, Remote: s.remote.String(),
		Target: task.Target, Protocol: s.task.options.Protocol, Attributes: maps.Clone(attributes),
	}
}

// enter takes one of the task's places.
func (t *Task) enter(s *Session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := context.Cause(s.context); err != nil {
		return err
	}
	if err := t.usable(); err != nil && !errors.Is(err, ErrNotGranted) {
		return err
	}
	if t.closed {
		return ErrShutdown
	}
	most := int32(defaultConcurrent)
	if g := t.current.Load().state.Grant; g != nil && g.Policy.Session.MaxConcurrent > 0 {
		most = g.Policy.Session.MaxConcurrent
	}
	if t.active >= most {
		return ErrTooManySessions
	}
	t.active++
	t.total++
	s.entered = true
	return nil
}
