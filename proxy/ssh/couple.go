package ssh

import (
	"context"
	"io"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/record"
)

// end is one side of a forwarding.
type end struct {
	channel  ssh.Channel
	requests <-chan *ssh.Request
}

// couple copies between two channels until both have ended, each direction for itself
// (RFC 4254 section 5.3). Nothing can be asked for on such channels. What goes to the
// target is recorded before; a nil record counts alone.
func (c *connection) couple(client, target end, record func([]byte) error) traffic {
	var t traffic
	defer c.forwards.add(client.channel)()
	both := goroutines{caught: c.caught}
	clientGone, targetGone := refuseAll(&both, client.requests), refuseAll(&both, target.requests)
	upDone, downDone := make(chan struct{}), make(chan struct{})
	both.Go(func() {
		defer close(upDone)
		var err error
		if t.up, err = c.move(target.channel, client.channel, record); err != nil {
			c.broken(err)
			_ = target.channel.Close()
			return
		}
		_ = target.channel.CloseWrite()
	})
	both.Go(func() {
		defer close(downDone)
		var err error
		if t.down, err = c.move(client.channel, target.channel, nil); err != nil {
			_ = client.channel.Close()
			return
		}
		_ = client.channel.CloseWrite()
	})
	// Who has closed sends nothing more: what it has sent is handed on, then the other
	// channel is closed, too.
	both.Go(func() {
		<-upDone
		either(clientGone, downDone)
		_ = target.channel.Close()
	})
	both.Go(func() {
		<-downDone
		either(targetGone, upDone)
		_ = client.channel.Close()
	})
	both.Wait()
	return t
}

func either(a, b <-chan struct{}) {
	select {
	case <-a:
	case <-b:
	}
}

// refuseAll answers the requests of a channel that has none; what it returns is closed
// when the channel is.
func refuseAll(owner *goroutines, requests <-chan *ssh.Request) <-chan struct{} {
	closed := make(chan struct{})
	owner.Go(func() {
		defer close(closed)
		for request := range requests {
			_ = request.Reply(request.Type == keepalive, nil)
		}
	})
	return closed
}

// move hands on one direction of a channel to its end. Each chunk passes record before it
// goes on. The error is why the rest did not: the end of the other side is one.
func (c *connection) move(to io.Writer, from io.Reader, record func([]byte) error) (moved int64, err error) {
	b := newBuffer()
	defer b.free()
	for {
		n, err := from.Read(b.bytes)
		if c.ctx.Err() != nil {
			// No byte follows the end, and none is in the way of the words that tell why.
			return moved, context.Cause(c.ctx)
		}
		if n > 0 {
			if record != nil {
				if err := record(b.bytes[:n]); err != nil {
					return moved, &recordError{err}
				}
			}
			w, err := to.Write(b.bytes[:n])
			moved += int64(w)
			if err != nil {
				return moved, err
			}
			b.adapt(n)
		}
		if err == io.EOF {
			return moved, nil
		}
		if err != nil {
			return moved, err
		}
	}
}

// recordError is a chunk that could not be recorded: the session ends.
type recordError struct{ error }

// broken ends the connection where that is what an error means.
func (c *connection) broken(err error) {
	if failed, ok := err.(*recordError); ok { //nolint:errorlint // made here
		c.end(failed.error)
	}
}

// result records what came of an operation.
func (c *connection) result(operation int64, tag string, bytes int64, err error) {
	result := record.Result{Operation: operation, Tag: tag, Bytes: bytes}
	if err != nil {
		result.Error = clean(err.Error())
	}
	if err := c.session.Result(c.ctx, result); err != nil {
		c.end(err)
	}
}
