package session

import (
	"context"
	"fmt"
	"net"
)

// Guarded is a connection to the target that lets wrap put itself before its writes,
// and keeps its own type. Any other is wrapped as it is.
type Guarded interface {
	net.Conn
	Guard(wrap func(net.Conn) net.Conn)
}

// Dial returns the target, already authenticated with the task's credential. The
// concrete type is the protocol's own (proxy/postgres.Upstream), made by the
// dialer that cmd wired in. Each Write to it waits until all that was recorded before
// has survived what the policy's durability names. The session's end closes it.
func (s *Session) Dial(ctx context.Context, attributes map[string]string) (net.Conn, error) {
	if _, err := s.live(ctx); err != nil {
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
	return s.guard(conn), nil
}

// guard puts the recording before the target.
func (s *Session) guard(conn net.Conn) net.Conn {
	if own, ok := conn.(Guarded); ok {
		own.Guard(func(conn net.Conn) net.Conn { return &target{conn, s} })
		return own
	}
	return &target{conn, s}
}

// target is the way to the target, behind the recording.
type target struct {
	net.Conn
	session *Session
}

func (t *target) Write(p []byte) (int, error) {
	if err := t.session.settle(); err != nil {
		return 0, err
	}
	return t.Conn.Write(p)
}
