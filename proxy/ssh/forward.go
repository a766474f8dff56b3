package ssh

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/session"
)

// serveForward is a connection that the client wants from the target to somewhere
// (ssh -L, -D, -J, -W).
func (c *connection) serveForward(asked ssh.NewChannel) {
	action, text, payload := readForward(asked.ChannelType(), asked.ExtraData())
	admission, err := c.admit(action, text, &session.Hold{Tell: c.tell})
	if err != nil {
		c.reject(asked, ssh.Prohibited, err)
		return
	}
	target, fromTarget, err := c.up.Client.OpenChannel(asked.ChannelType(), payload)
	if err != nil {
		c.passFailure(asked, err)
		c.result(admission.Operation, "", 0, err)
		return
	}
	client, fromClient, err := asked.Accept()
	if err != nil {
		_ = target.Close()
		return
	}
	t := c.couple(end{client, fromClient}, end{target, fromTarget}, func(p []byte) error {
		return c.session.Stream(c.ctx, admission.Operation, p)
	})
	c.result(admission.Operation, t.String(), t.down, nil)
}

// readForward reads what the client wants to be connected to. The payload goes to the
// target as it was understood here, not as it came.
func readForward(kind string, data []byte) (action policy.Action, text string, payload []byte) {
	if kind == "direct-tcpip" {
		var to tcpipChannel
		if err := read(data, &to); err != nil {
			return unknown(kind, err.Error()), kind, nil
		}
		action, text = hostAction(kind, to.Host, to.Port)
		return action, text, ssh.Marshal(&to)
	}
	var to socketChannel
	if err := read(data, &to); err != nil {
		return unknown(kind, err.Error()), kind, nil
	}
	to.Reserved, to.ReservedToo = "", 0
	action, text = socketAction("direct-streamlocal", to.Path)
	return action, text, ssh.Marshal(&to)
}

// hostAction is a forwarding to or from a host and port.
func hostAction(kind, host string, port uint32) (policy.Action, string) {
	text := kind + " " + net.JoinHostPort(clean(host), strconv.FormatUint(uint64(port), 10))
	if port > math.MaxUint16 {
		return unknown(kind, "no port has that number"), text
	}
	if len(host) > 255 || clean(host) != host {
		return unknown(kind, "no host has that name"), text
	}
	return policy.Action{Kind: kind, SSH: &policy.SSHAction{Host: host, Port: int32(port), FromTarget: true}}, text
}

// socketAction is a forwarding to or from a Unix socket.
func socketAction(kind, path string) (policy.Action, string) {
	text := kind + " " + clean(path)
	if clean(path) != path {
		return unknown(kind, "the path has characters that no path should have"), text
	}
	return policy.Action{Kind: kind, SSH: &policy.SSHAction{Socket: path, FromTarget: true}}, text
}

// passFailure tells whoever opens a channel why the other side does not.
func (c *connection) passFailure(asked ssh.NewChannel, err error) {
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		_ = asked.Reject(refused.Reason, clean(refused.Message))
		return
	}
	_ = asked.Reject(ssh.ConnectionFailed, "the other side is gone")
}

// serveAgent is the target that wants to speak with the client's agent.
func (c *connection) serveAgent(asked ssh.NewChannel) {
	operation, ok := c.agents.use()
	if !ok || len(asked.ExtraData()) != 0 {
		_ = asked.Reject(ssh.Prohibited, "not asked for")
		return
	}
	c.serveReverse(asked, operation, nil)
}

// serveX11 is the target that wants to show something on the client's display.
func (c *connection) serveX11(asked ssh.NewChannel) {
	var from x11Channel
	if read(asked.ExtraData(), &from) != nil {
		_ = asked.Reject(ssh.ConnectionFailed, "malformed")
		return
	}
	operation, ok := c.displays.use()
	if !ok {
		_ = asked.Reject(ssh.Prohibited, "not asked for")
		return
	}
	c.serveReverse(asked, operation, ssh.Marshal(&from))
}

// serveReverse couples a channel that the target opened with one to the client. What
// the client answers there is not hashed: it may be what was typed.
func (c *connection) serveReverse(asked ssh.NewChannel, operation int64, payload []byte) {
	t, err := c.reverse(asked, payload, nil)
	if err == nil {
		c.result(operation, asked.ChannelType()+" "+t.String(), t.down, nil)
	}
}

// reverse opens towards the client what the target has opened, and couples both.
func (c *connection) reverse(asked ssh.NewChannel, payload []byte, record func([]byte) error) (traffic, error) {
	client, fromClient, err := c.client.OpenChannel(asked.ChannelType(), payload)
	if err != nil {
		c.passFailure(asked, err)
		return traffic{}, err
	}
	target, fromTarget, err := asked.Accept()
	if err != nil {
		_ = client.Close()
		return traffic{}, err
	}
	return c.couple(end{client, fromClient}, end{target, fromTarget}, record), nil
}

// traffic is what has gone through a forwarding, in bytes: up to the target, down to
// the client.
type traffic struct{ up, down int64 }

func (t traffic) String() string { return fmt.Sprintf("%d bytes up, %d bytes down", t.up, t.down) }
