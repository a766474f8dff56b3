package session

import (
	"context"
	"errors"
	"fmt"
	"maps"

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
func (s *Session) Begin(ctx context.Context, attributes map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.proof == "":
		return ErrNotAuthenticated
	case s.writer != nil:
		return fmt.Errorf("session %s has begun already", s.id)
	}
	if err := s.task.enter(s); err != nil {
		return err
	}
	s.facts = policy.SessionContext{
		User: attributes["user"], Database: attributes["database"], Application: attributes["application_name"],
	}
	task := s.task.State().Task
	file, err := s.task.options.Recordings.Create(ctx, s.id)
	if err != nil {
		return s.task.recordingFailed(err)
	}
	writer, err := record.NewFileWriter(file, record.Start{
		Session: s.id, RequestUID: task.RequestUID, Request: task.Request, Namespace: task.Namespace,
		Task: task.ID, User: task.Requester, Proof: s.proof, Remote: s.remote.String(),
		Target: task.Target, Protocol: s.task.options.Protocol, Attributes: maps.Clone(attributes),
	}, s.task.options.Now)
	s.file = file
	if err != nil {
		return s.task.recordingFailed(err)
	}
	s.writer = writer
	s.task.recorded(writer.Head(), 0, 0)
	close(s.begun)
	s.task.options.Log.Info("Session began", "session", s.id, "proof", s.proof)
	return nil
}

// enter takes one of the task's places.
func (t *Task) enter(s *Session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := context.Cause(s.context); err != nil {
		return err
	}
	if err := t.alive(t.options.Now()); err != nil && !errors.Is(err, ErrNotGranted) {
		return err
	}
	most := int32(defaultConcurrent)
	if g := t.state.Grant; g != nil && g.Policy.Session.MaxConcurrent > 0 {
		most = g.Policy.Session.MaxConcurrent
	}
	if t.counters.active >= most {
		return ErrTooManySessions
	}
	t.counters.active++
	t.counters.total++
	s.entered = true
	t.report()
	return nil
}
