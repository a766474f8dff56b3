package session

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/grant"
)

// tellEvery is how often a waiting client hears that it still waits.
const tellEvery = 30 * time.Second

// AwaitGrant returns when the task is granted. While it waits it calls tell with
// what it waits for: at once, when that changes, and every half minute; an error of
// tell ends the wait (the client left). ErrEnded when the task ends first.
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
			return s.task.usable()
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
	return t.state, t.changed
}

// Dial returns the target, already authenticated with the task's credential. The
// concrete type is the protocol's own (proxy/postgres.Upstream), made by the
// dialer that cmd wired in. The session's end closes it.
func (s *Session) Dial(ctx context.Context, attributes map[string]string) (net.Conn, error) {
	s.mu.Lock()
	err := s.live(ctx)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	granted, err := s.task.granted()
	if err != nil {
		return nil, err
	}
	// The end of the session interrupts the way to the target, too.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.context, func() { cancel(context.Cause(s.context)) })()

	conn, err := s.task.options.Dial(ctx, granted, attributes)
	switch {
	case err != nil && context.Cause(s.context) != nil:
		return nil, context.Cause(s.context)
	case err != nil:
		return nil, fmt.Errorf("connect to the target: %w", err)
	case !s.connections.add(conn):
		return nil, context.Cause(s.context)
	}
	// Where the end has come meanwhile, it closes what was added.
	if cause := context.Cause(s.context); cause != nil {
		return nil, cause
	}
	return conn, nil
}
