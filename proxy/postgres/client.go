package postgres

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// sendTimeout bounds a message of ours to a client that does not read.
const sendTimeout = 10 * time.Second

// client is the client's side of a session.
type client struct {
	// Conn is TLS once the client has asked for it.
	net.Conn
	// tls is its state; nil on plaintext.
	tls *tls.ConnectionState
	// version of the protocol that is spoken with it.
	version uint32
	// reader of its messages, once it is authenticated.
	reader *wire.Reader
	// abandon, if set, is to be done when it has been told of its session's end.
	abandon func()

	mu sync.Mutex
	// interrupted says that the session must end: deadlines stay as they are.
	interrupted bool
	// torn says that a message was sent in part: nothing can follow it.
	torn atomic.Bool
}

// interrupt ends every blocking call. A client that still reads may take what is
// being written to it, and hear why.
func (c *client) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	_ = c.SetReadDeadline(past)
	_ = c.SetWriteDeadline(within(farewellTimeout))
}

// unbound removes the deadline of the start-up.
func (c *client) unbound() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.interrupted {
		_ = c.SetDeadline(time.Time{})
	}
}

// send writes a message of ours at once.
func (c *client) send(message []byte) error {
	c.mu.Lock()
	if !c.interrupted {
		_ = c.SetWriteDeadline(within(sendTimeout))
	}
	c.mu.Unlock()
	if err := c.write(message); err != nil {
		return err
	}
	c.unbound()
	return nil
}

// write forwards bytes; a write that fails leaves the stream torn.
func (c *client) write(raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	if _, err := c.Write(raw); err != nil {
		c.torn.Store(true)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return errLeft
	}
	return nil
}

// farewell tells the client why its session ends, if it can still hear it.
func (c *client) farewell(f *fault) {
	if f == nil || c.torn.Load() {
		return
	}
	_ = c.SetWriteDeadline(within(farewellTimeout))
	_, _ = c.Write(wire.AppendError(nil, f.report("FATAL")))
}

// maxAhead bounds what a client that waits may send ahead, in bytes.
const maxAhead = 1 << 20

// watch reads ahead while the session waits, so that a client that leaves ends the
// wait. The function that it returns ends the watch.
func (c *client) watch(left func(error)) (stop func()) {
	var watching sync.WaitGroup
	watching.Go(func() {
		for c.reader.Buffered() < maxAhead {
			switch err := c.reader.Fill(); {
			case errors.Is(err, os.ErrDeadlineExceeded):
				return
			case err != nil:
				left(errLeft)
				return
			}
		}
	})
	return func() {
		_ = c.SetReadDeadline(past)
		watching.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.interrupted {
			_ = c.SetReadDeadline(time.Time{})
		}
	}
}
