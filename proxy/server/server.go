// Package server accepts connections, gives each a session and an engine, and ends
// them when the session must.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/socket"
)

const (
	// maxUnauthenticated connections at once; more are closed unread.
	maxUnauthenticated = 64
	// farewell is how long an engine has to tell its client why the session ended.
	farewell = 250 * time.Millisecond
	// lingering is how long a client has to read what it was told, and to leave by itself.
	lingering = 500 * time.Millisecond
	// acceptPause follows a failure to accept: out of file descriptors, usually.
	acceptPause = 50 * time.Millisecond
)

// past is a deadline that has passed: it ends every blocking call.
var past = time.Unix(1, 0)

// Server serves one task with one engine.
type Server struct {
	Engine session.Engine
	Task   *session.Task
	Log    logr.Logger

	// bulk is what has gone to and from clients in large pieces, in bytes.
	bulk atomic.Int64
	// clients is how many are connected.
	clients atomic.Int64
}

// Clients is how many are connected.
func (s *Server) Clients() int64 { return s.clients.Load() }

// Bulk is how many bytes have gone to and from clients in pieces larger than what people
// and programs say to each other.
func (s *Server) Bulk() int64 { return s.bulk.Load() }

// Serve accepts from listener until ctx ends, then closes it, ends every session, and
// returns when all are gone.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	places := make(chan struct{}, maxUnauthenticated)
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections: %w", err)
		case err != nil:
			s.Log.Error(err, "Accepting a connection failed")
			pause(ctx, acceptPause)
			continue
		}
		select {
		case places <- struct{}{}:
			connections.Go(func() { s.serve(ctx, conn, places) })
		default:
			s.Log.Info("Too many connections that have not authenticated", "remote", conn.RemoteAddr().String())
			_ = conn.Close()
		}
	}
}

func (s *Server) serve(ctx context.Context, conn net.Conn, places <-chan struct{}) {
	s.clients.Add(1)
	defer s.clients.Add(-1)
	current := s.Task.NewSession(conn.RemoteAddr())
	var release sync.Once
	leave := func() { release.Do(func() { <-places }) }
	defer leave()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-current.Begun():
			leave()
		case <-current.Context().Done():
		}
	}()

	client := &watched{Conn: socket.Wrap(conn), touch: current.Touch, bulk: &s.bulk}
	stopShutdown := context.AfterFunc(ctx, func() { current.End(session.ErrShutdown) })
	interrupted := interrupt(current.Context(), conn)
	err := s.run(client, current)
	stopShutdown()
	if closing := current.Close(err); closing != nil {
		s.Log.Error(closing, "The session's recording could not be closed", "session", current.ID())
	}
	interrupted()
	<-ended
	hangUp(conn)
}

// run keeps an engine's panic to its own session: other sessions of the task go on.
func (s *Server) run(client net.Conn, current *session.Session) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error(fmt.Errorf("panic: %v", p), "The engine failed", "session", current.ID(), "stack", string(debug.Stack()))
			err = errors.New("internal error: the session cannot go on")
		}
	}()
	return s.Engine.Serve(current.Context(), client, current)
}

// interrupt wakes an engine that reads when the session ends, leaves it time for a
// last message, then cuts. The function returned waits until nothing of that runs.
func interrupt(ctx context.Context, conn net.Conn) (done func()) {
	over, finished := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		_ = conn.SetReadDeadline(past)
		timer := time.NewTimer(farewell)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = conn.Close()
		case <-over:
		}
	})
	return func() {
		close(over)
		if !stop() {
			<-finished
		}
	}
}

// hangUp closes after the client had a chance to read: bytes of its own that nobody
// read would make close a reset, which discards the last message (RFC 1122, 4.2.2.13).
func hangUp(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Time{}) != nil {
		return
	}
	defer time.AfterFunc(lingering, func() { _ = conn.SetReadDeadline(past) }).Stop()
	discarded := make([]byte, 4096)
	for {
		if _, err := conn.Read(discarded); err != nil {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// largePiece is one of a result of many rows: PostgreSQL sends 8 KiB at a time.
const largePiece = 4 << 10

// watched tells a session that bytes move, and counts those of large pieces.
type watched struct {
	net.Conn
	touch func()
	bulk  *atomic.Int64
}

func (w *watched) moved(n int) {
	if n > 0 {
		w.touch()
	}
	if n > largePiece {
		w.bulk.Add(int64(n))
	}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.moved(n)
	return n, err
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.moved(n)
	return n, err
}
