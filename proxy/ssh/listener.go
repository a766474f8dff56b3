package ssh

import (
	"errors"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/session"
)

// maxListeners bounds what a target listens on for one connection.
const maxListeners = 64

// listeners are what the target listens on for the client (ssh -R), and the operation
// that each was granted as.
type listeners struct {
	// mu is held while the target is asked for one: it may open a connection before we
	// have read its answer.
	mu   sync.Mutex
	open map[listener]int64
}

// listener is an address as the client asked for it, or a Unix socket.
type listener struct {
	host string
	port uint32
	path string
}

// listen has the target listen, if the policy lets it. The answer is the port where
// the client left it to the target (RFC 4254 section 7.1).
func (c *connection) listen(request *ssh.Request) (ok bool, answer []byte) {
	at, action, text, payload := readListen(request)
	admission, err := c.admit(action, text, &session.Hold{Tell: c.tellAlive})
	if err != nil {
		if words, ok := usable(err); ok {
			_ = c.tell(words)
		}
		return false, nil
	}
	l := &c.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, twice := l.open[at]; twice || len(l.open) >= maxListeners {
		c.result(admission.Operation, "", 0, errors.New("it listens there already, or on too much"))
		return false, nil
	}
	ok, answer, err = c.up.Client.SendRequest(request.Type, true, payload)
	if err == nil && !ok {
		err = errors.New("the target does not listen there")
	}
	if err == nil && at.path == "" && at.port == 0 {
		var allocated forwardedPort
		err = read(answer, &allocated)
		at.port = allocated.Port
		answer = ssh.Marshal(&allocated)
	} else {
		answer = nil
	}
	if err != nil {
		c.result(admission.Operation, "", 0, err)
		return false, nil
	}
	if l.open == nil {
		l.open = map[listener]int64{}
	}
	l.open[at] = admission.Operation
	c.result(admission.Operation, "listening", 0, nil)
	return true, answer
}

// tellAlive is tell, and shows a client that is alone with its listener (ssh -N) that the
// proxy is there: answers to its keepalives must wait their turn.
func (c *connection) tellAlive(message string) error {
	_, _, _ = c.client.SendRequest(keepalive, false, nil)
	return c.tell(message)
}

func readListen(request *ssh.Request) (at listener, action policy.Action, text string, payload []byte) {
	if request.Type == "tcpip-forward" {
		var on forwardRequest
		if err := read(request.Payload, &on); err != nil {
			return at, unknown(request.Type, err.Error()), request.Type, nil
		}
		action, text = hostAction(request.Type, on.Host, on.Port)
		return listener{host: on.Host, port: on.Port}, action, text, ssh.Marshal(&on)
	}
	var on socketRequest
	if err := read(request.Payload, &on); err != nil {
		return at, unknown(request.Type, err.Error()), request.Type, nil
	}
	action, text = socketAction("streamlocal-forward", on.Path)
	return listener{path: on.Path}, action, text, ssh.Marshal(&on)
}

// unlisten ends a listener of the client's own. That needs no grant.
func (c *connection) unlisten(request *ssh.Request) bool {
	var at listener
	if request.Type == "cancel-tcpip-forward" {
		var on forwardRequest
		if read(request.Payload, &on) != nil {
			return false
		}
		at = listener{host: on.Host, port: on.Port}
	} else {
		var on socketRequest
		if read(request.Payload, &on) != nil {
			return false
		}
		at = listener{path: on.Path}
	}
	l := &c.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	operation, open := l.open[at]
	if !open {
		return false
	}
	c.result(operation, "to be cancelled", 0, nil)
	ok, _, err := c.up.Client.SendRequest(request.Type, true, request.Payload)
	if err != nil || !ok {
		return false
	}
	delete(l.open, at)
	return true
}

// serveForwarded is a connection that came to a listener of the target: it must be one
// that the client has asked for.
func (c *connection) serveForwarded(asked ssh.NewChannel) {
	var at listener
	var payload []byte
	var err error
	from := ""
	if asked.ChannelType() == "forwarded-tcpip" {
		var came tcpipChannel
		err = read(asked.ExtraData(), &came)
		came.Origin = clean(came.Origin)
		at, payload, from = listener{host: came.Host, port: came.Port}, ssh.Marshal(&came), " from "+came.Origin
	} else {
		var came forwardedSocket
		err = read(asked.ExtraData(), &came)
		at, payload = listener{path: came.Path}, ssh.Marshal(&forwardedSocket{Path: came.Path})
	}
	c.listeners.mu.Lock()
	operation, open := c.listeners.open[at]
	c.listeners.mu.Unlock()
	if err != nil || !open {
		_ = asked.Reject(ssh.Prohibited, "not asked for")
		return
	}
	t, err := c.reverse(asked, payload, func(p []byte) error { return c.session.Stream(c.ctx, operation, p) })
	if err == nil {
		c.result(operation, "connection"+from+": "+t.String(), t.down, nil)
	}
}
