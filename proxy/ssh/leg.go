package ssh

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// past is a deadline that has passed: it ends every blocking call.
var past = time.Unix(1, 0)

// clientLeg is the client's connection, as package ssh is given it: closing it leaves
// the socket to its owner, and the end of the session does not tear it down before
// the client was told.
type clientLeg struct {
	net.Conn
	// left is told, before anybody else, that the client is gone.
	left func(error)
	// keep says that a read deadline, which is how the server wakes an engine, is not yet
	// an error: somebody will say farewell, and where output fills the channel's window,
	// the client must be heard to make room for that.
	keep atomic.Bool
	// over is closed by Close; closing is held meanwhile.
	over    chan struct{}
	closing sync.Mutex
	// reading is held by the one who reads.
	reading sync.Mutex
}

func (l *clientLeg) Read(p []byte) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	for {
		if l.isOver() {
			return 0, net.ErrClosed
		}
		n, err := l.Conn.Read(p)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			if l.readOn() {
				continue
			}
		default:
			l.left(errLeft)
		}
		return n, err
	}
}

// readOn lifts a read deadline, unless reading is over.
func (l *clientLeg) readOn() bool {
	l.closing.Lock()
	defer l.closing.Unlock()
	return l.keep.Load() && !l.isOver() && l.SetReadDeadline(time.Time{}) == nil
}

func (l *clientLeg) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

func (l *clientLeg) Write(p []byte) (int, error) {
	if l.isOver() {
		return 0, net.ErrClosed
	}
	return l.Conn.Write(p)
}

// Close ends all reading and writing of package ssh.
func (l *clientLeg) Close() error {
	l.closing.Lock()
	defer l.closing.Unlock()
	if !l.isOver() {
		close(l.over)
		// A client that has left may have stopped to read before: who writes to it wakes, too.
		_ = l.SetDeadline(past)
	}
	return nil
}

// finish is Close, and waits until nobody reads any more.
func (l *clientLeg) finish() {
	_ = l.Close()
	l.reading.Lock()
	defer l.reading.Unlock()
	_ = l.SetWriteDeadline(time.Time{})
}

// targetLeg is the way to the target. Guard puts the recording before its writes.
type targetLeg struct {
	net.Conn
	writer atomic.Pointer[net.Conn]
	// lost is told, before anybody else, that the target is gone.
	lost atomic.Pointer[func()]
}

func newTargetLeg(conn net.Conn) *targetLeg {
	l := &targetLeg{Conn: conn}
	l.writer.Store(&conn)
	return l
}

// Guard implements session.Guarded.
func (l *targetLeg) Guard(wrap func(net.Conn) net.Conn) {
	wrapped := wrap(l.Conn)
	l.writer.Store(&wrapped)
}

func (l *targetLeg) Write(p []byte) (int, error) { return (*l.writer.Load()).Write(p) }

func (l *targetLeg) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil {
		if lost := l.lost.Load(); lost != nil {
			(*lost)()
		}
	}
	return n, err
}
