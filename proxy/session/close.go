package session

import (
	"context"
	"errors"
	"fmt"

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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	var failures []error
	if s.writer != nil {
		text := "the client left"
		if reason != nil {
			text = reason.Error()
		}
		// A recording that failed stays incomplete: append says so again, and ends nothing more.
		head, err := s.writer.Append(record.Event{Type: record.EventEnd, End: &record.End{
			Reason: text, Allowed: s.allowed, Refused: s.refused,
		}})
		if err == nil {
			s.task.recorded(head, s.allowed, s.refused)
		}
		failures = append(failures, err)
		s.task.options.Log.Info("Session ended", "session", s.id, "reason", text, "allowed", s.allowed, "refused", s.refused)
	}
	if err := errors.Join(append(failures, s.file.Close())...); err != nil {
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
	t.counters.active--
	if known := t.counters.of(s.id); known != nil {
		known.gone = true
	}
	t.counters.urgent = true
	t.report()
}
