package ssh

import (
	"golang.org/x/crypto/ssh"
)

// keepalive is OpenSSH's request that wants an answer, whatever it says.
const keepalive = "keepalive@openssh.com"

// serveClientRequests answers the client's global requests, in their order (RFC 4254
// section 4): a listener that is held keeps those behind it waiting.
func (c *connection) serveClientRequests(requests <-chan *ssh.Request) {
	for request := range requests {
		if !c.mayAsk() {
			continue
		}
		ok, answer := c.global(request)
		if request.Reply(ok, answer) != nil {
			c.end(errLeft)
		}
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
