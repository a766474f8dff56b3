package ssh

import (
	"strings"

	"golang.org/x/crypto/ssh"
)

// keepalive is OpenSSH's request that wants an answer, whatever it says.
const keepalive = "keepalive@openssh.com"

const (
	// maxGlobals bounds the global requests that wait for one that is held: an hour of a
	// client's keepalives, and more.
	maxGlobals = 512
	// maxGlobal bounds what is kept of each, in bytes: no address is longer.
	maxGlobal = 8 << 10
)

// serveClientRequests answers the client's global requests, in their order (RFC 4254
// section 4). A listener that is held keeps those behind it waiting, and nothing else:
// package ssh reads on only when what it has read is taken.
func (c *connection) serveClientRequests(requests <-chan *ssh.Request) {
	waiting := make(chan *ssh.Request, maxGlobals)
	c.channels.Go(func() {
		defer close(waiting)
		for request := range requests {
			shorten(request)
			select {
			case waiting <- request:
			case <-c.ctx.Done():
			}
		}
	})
	for request := range waiting {
		if !c.mayAsk() {
			continue
		}
		ok, answer := c.global(request)
		if request.Reply(ok, answer) != nil {
			c.end(errLeft)
		}
	}
}

// shorten cuts a request that is too long to wait: it is malformed then, or unknown.
func shorten(request *ssh.Request) {
	if len(request.Type) > maxWords {
		request.Type = strings.Clone(request.Type[:maxWords])
	}
	if len(request.Payload) > maxGlobal {
		request.Payload = nil
	}
}

func (c *connection) global(request *ssh.Request) (ok bool, answer []byte) {
	switch request.Type {
	case keepalive:
		return true, nil
	case "no-more-sessions@openssh.com":
		c.noMore.Store(true)
		return true, nil
	case "tcpip-forward", "streamlocal-forward@openssh.com":
		return c.listen(request)
	case "cancel-tcpip-forward", "cancel-streamlocal-forward@openssh.com":
		return c.unlisten(request), nil
	}
	kind := clean(request.Type)
	_, _ = c.admit(unknown(kind, "global requests of this type are not known"), "request "+kind, nil)
	return false, nil
}
