//go:build !race

package socket

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	// short is the most that one untold call moves, in bytes: the kernel copies as much
	// in some ten microseconds.
	short = 128 << 10
	// tellAfter is how many bytes may go untold before a call is told; a call counts as
	// leastCounted at least. The scheduler must see a goroutine that never waits, or
	// others would not run beside it.
	tellAfter, leastCounted = 1 << 20, 1 << 10
)

// Wrap returns conn with cheaper short reads and writes, or conn itself if it is not TCP.
// Deadlines, closing and concurrent calls are as with any net.Conn.
func Wrap(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	s := &socket{TCPConn: tcp}
	s.in = transfer{name: "read", wait: raw.Read}
	s.in.attempt = s.in.read
	s.out = transfer{name: "write", wait: raw.Write}
	s.out.attempt = s.out.write
	return s
}

type socket struct {
	*net.TCPConn
	in, out transfer
}

func (s *socket) Read(p []byte) (int, error) {
	if !s.in.takes(p) {
		return s.TCPConn.Read(p)
	}
	n, err := s.in.run(p)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	if !s.out.takes(p) {
		return s.TCPConn.Write(p)
	}
	return s.out.run(p)
}

// transfer is one direction of a socket.
type transfer struct {
	name string
	// wait makes attempts until one is done; before each but the first it waits for the
	// network poller, and for the deadline.
	wait    func(attempt func(fd uintptr) (done bool)) error
	attempt func(fd uintptr) (done bool)
	// untold is what has been moved since the last call that was told, in bytes.
	untold atomic.Int64

	// mu is held by the call whose bytes these are.
	mu    sync.Mutex
	bytes []byte
	moved int
	errno syscall.Errno
}

// takes says whether a call may go untold.
func (t *transfer) takes(p []byte) bool {
	if len(p) == 0 || len(p) > short {
		return false
	}
	if t.untold.Load() >= tellAfter {
		t.untold.Store(0)
		return false
	}
	return true
}

func (t *transfer) run(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes, t.moved, t.errno = p, 0, 0
	err := t.wait(t.attempt)
	t.bytes = nil
	t.untold.Add(int64(max(t.moved, leastCounted)))
	if err == nil && t.errno != 0 {
		err = &net.OpError{Op: t.name, Net: "tcp", Err: os.NewSyscallError(t.name, t.errno)}
	}
	return t.moved, err
}

func (t *transfer) read(fd uintptr) (done bool) {
	t.moved, t.errno = untold(syscall.SYS_READ, fd, t.bytes)
	return t.errno != syscall.EAGAIN
}

func (t *transfer) write(fd uintptr) (done bool) {
	for t.moved < len(t.bytes) && t.errno == 0 {
		var n int
		n, t.errno = untold(syscall.SYS_WRITE, fd, t.bytes[t.moved:])
		t.moved += n
	}
	if t.errno == syscall.EAGAIN {
		t.errno = 0
		return false
	}
	return true
}

// untold is a system call that moves bytes, again when a signal has interrupted it.
func untold(call, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))) //nolint:gosec // as syscall.Read and syscall.Write do
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
