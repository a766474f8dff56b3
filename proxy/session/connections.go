package session

import (
	"net"
	"sync"
)

// connections are a session's ways to the target. Once closed they stay closed. How
// a close went interests nobody: the session is over.
type connections struct {
	mu     sync.Mutex
	open   []net.Conn
	closed bool
}

// add takes a connection, or closes it and says no.
func (c *connections) add(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return false
	}
	c.open = append(c.open, conn)
	return true
}

// close closes all; again is harmless. It must not hold mu while it closes: a TLS
// connection's Close may wait for a stalled writer for seconds.
func (c *connections) close() {
	c.mu.Lock()
	open := c.open
	c.open, c.closed = nil, true
	c.mu.Unlock()
	for _, conn := range open {
		_ = conn.Close()
	}
}
