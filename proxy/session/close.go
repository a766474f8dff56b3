package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
)

// Close ends the session and closes its recording; reason is nil where the client
// left in peace. Its owner calls it, when Serve has returned.
func (s *Session) Close(reason error) error {
	var failure error
	s.closeOnce.Do(func() {
		defer close(s.gone)
		if cause := context.Cause(s.context); cause != nil {
			reason = cause
		}
		s.end(errors.Join(reason, context.Canceled))
		<-s.cut
		failure = s.closeRecording(reason)
		s.task.leave(s)
	})
	return failure
}

func (s *Session) closeRecording(reason error) error {
	b := s.begunWith.Load()
	if b == nil {
		return nil
	}
	text := "the client left"
	if reason != nil {
		text = reason.Error()
	}
	allowed, refused := s.allowed.Load(), s.refused.Load()
	s.audit(control.AuditEvent{Type: control.AuditSessionEnded, Message: text, Allowed: allowed, Refused: refused})
	s.task.options.Log.Info("Session ended", "session", s.id, "reason", text, "allowed", allowed, "refused", refused)
	if b.recording == nil {
		return nil
	}
	// A recording that failed stays incomplete: its writer says so again, and ends nothing more.
	err := b.recording.Append(record.Event{Type: record.EventEnd, End: &record.End{Reason: text, Allowed: allowed, Refused: refused}})
	if err = errors.Join(err, b.recording.Close()); err != nil {
		return fmt.Errorf("close the recording of session %s: %w", s.id, err)
	}
	return nil
}

// leave gives the place back, and reports at once.
func (t *Task) leave(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, s)
	if !s.entered {
		return
	}
	t.active--
	t.past.add(progressOf(s))
	t.urgent = true
	t.poke()
}
