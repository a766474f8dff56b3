package session

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/grant"
)

// tellEvery is how often a waiting client hears that it still waits.
const tellEvery = 30 * time.Second

// AwaitGrant returns when the task is granted. While it waits it calls tell with
// what it waits for: at once, when that changes, and every half minute; an error of
// tell ends the wait (the client left). What was granted is recorded then. ErrEnded when the task ends first.
func (s *Session) AwaitGrant(ctx context.Context, tell func(message string) error) error {
	again := time.NewTicker(tellEvery)
	defer again.Stop()
	told := ""
	for {
		if cause := context.Cause(s.context); cause != nil {
			return cause
		}
		state, changed := s.task.newest()
		switch state.Phase {
		case grant.Granted:
			if err := s.task.usable(); err != nil {
				return err
			}
			return s.recordTerms(s.task.current.Load())
		case grant.Ended:
			return &EndedError{state.Reason}
		case grant.Waiting:
		}
		message := "waiting for the grant"
		if state.Wait != "" {
			message = state.Wait
		}
		if message != told {
			if err := s.tell(ctx, message, tell); err != nil {
				return err
			}
			told = message
		}
		select {
		case <-changed:
		case <-again.C:
			told = ""
		case <-s.context.Done():
			return context.Cause(s.context)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *Session) tell(ctx context.Context, message string, tell func(string) error) error {
	if err := s.Notice(ctx, message); err != nil {
		return err
	}
	return tell(message)
}

func (t *Task) newest() (grant.State, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.Load().state, t.changed
}
