package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/session"
)

const (
	// maxChannels bounds the channels of a connection, whoever opened them.
	maxChannels = 64
	// refusalsPerSecond and refusalsAtOnce bound what a client may be refused, by making
	// it wait: each refusal is a record (SSH-7).
	refusalsPerSecond, refusalsAtOnce = 20, 200
	// asksPerSecond and asksAtOnce bound all that it may ask for.
	asksPerSecond, asksAtOnce = 500, 2000
)

// connection is a client and its target, from authentication to the end.
type connection struct {
	arrived
	engine  *Engine
	session *session.Session
	leg     *clientLeg
	// ctx ends with the connection; end ends it.
	ctx context.Context
	end context.CancelCauseFunc

	// places are the channels that may be open.
	places chan struct{}
	// lingering are programs that the target keeps though their client has gone.
	lingering      chan struct{}
	refusals, asks *rate.Limiter
	// noMore says that the client wants no further session channels.
	noMore atomic.Bool
	// agents and displays are how many of the client's session channels have asked for
	// the forwarding of its agent, and of its display.
	agents   reverse
	displays reverse

	listeners listeners
	// moved is what went through as files.
	moved    moved
	channels goroutines

	mu sync.Mutex
	// programs are the client's session channels, for what is told in passing; opened is
	// how many there have been.
	programs map[*sessionChannel]struct{}
	opened   int64
	forwards forwards
	// runs are the programs that run on the target.
	runs map[*run]struct{}
}

// relay serves a client until it leaves, or loses its target, or its session ends.
func (e *Engine) relay(ctx context.Context, leg *clientLeg, s *session.Session, a *arrived) error {
	c := &connection{
		arrived: *a, engine: e, session: s, leg: leg,
		places:    make(chan struct{}, maxChannels),
		lingering: make(chan struct{}, maxLingering),
		refusals:  rate.NewLimiter(refusalsPerSecond, refusalsAtOnce),
		asks:      rate.NewLimiter(asksPerSecond, asksAtOnce),
		programs:  map[*sessionChannel]struct{}{},
		runs:      map[*run]struct{}{},
	}
	c.channels.caught = c.caught
	c.ctx, c.end = context.WithCancelCause(ctx)
	defer c.end(nil)
	parted := s.Parting()
	defer parted()
	lost := func() { c.end(errLost) }
	c.up.lost.Store(&lost)

	loops := goroutines{caught: c.caught}
	loops.Go(func() { c.serveClientChannels(a.channels) })
	loops.Go(func() { c.serveClientRequests(a.requests) })
	loops.Go(func() { c.serveTargetChannels() })
	loops.Go(func() { c.serveTargetRequests() })
	loops.Go(func() { c.end(gone(a.client.Wait(), errLeft)) })
	loops.Go(func() { c.end(gone(c.up.Client.Wait(), errLost)) })
	<-c.ctx.Done()
	err := context.Cause(c.ctx)
	// Both at once: neither side waits for the other to have heard.
	loops.Go(func() {
		defer func() { _ = c.up.Close() }()
		defer parted()
		c.hangUp()
	})
	c.farewell(err)
	_ = c.leg.Close()
	loops.Wait()
	c.channels.Wait()
	return err
}

// gone is why one side ended its connection: errLeft or errLost where it just did.
func gone(err, plainly error) error {
	var broken interface{ Timeout() bool }
	if err == nil || errors.As(err, &broken) {
		return plainly
	}
	return fmt.Errorf("%w (%s)", plainly, clean(err.Error()))
}

// farewell tells the client why its connection ends, on every session channel that
// is open. A client that does not read hears nothing.
func (c *connection) farewell(reason error) {
	if errors.Is(reason, errLeft) {
		return
	}
	//nolint:forbidigo // a socket's deadline is by the machine's clock
	_ = c.leg.SetWriteDeadline(time.Now().Add(farewellTimeout))
	c.mu.Lock()
	endings := c.forwards.endings()
	for p := range c.programs {
		endings = append(endings, func() {
			p.goodbye(reason)
		})
	}
	c.mu.Unlock()
	told := make(chan struct{}, len(endings))
	for _, end := range endings {
		c.channels.Go(func() {
			end()
			told <- struct{}{}
		})
	}
	timer := time.NewTimer(farewellTimeout)
	defer timer.Stop()
	for range endings {
		select {
		case <-told:
		case <-timer.C:
			return
		}
	}
}

// serveClientChannels answers everything that the client opens.
func (c *connection) serveClientChannels(opened <-chan ssh.NewChannel) {
	for asked := range opened {
		if !c.mayAsk() || !c.place() {
			_ = asked.Reject(ssh.ResourceShortage, fmt.Sprintf("sallyport: a connection has at most %d channels", maxChannels))
			continue
		}
		var serve func(ssh.NewChannel)
		switch asked.ChannelType() {
		case "session":
			serve = c.serveSession
		case "direct-tcpip", "direct-streamlocal@openssh.com":
			serve = c.serveForward
		default:
			c.refuseChannel(asked)
			c.leave()
			continue
		}
		c.channels.Go(func() {
			defer c.leave()
			serve(asked)
		})
	}
}

// serveTargetChannels answers what the target opens: the ends of what the client has
// asked for, and nothing else (SSH-3).
func (c *connection) serveTargetChannels() {
	for asked := range c.up.Channels {
		if !c.place() {
			_ = asked.Reject(ssh.ResourceShortage, "too many channels")
			continue
		}
		var serve func(ssh.NewChannel)
		switch asked.ChannelType() {
		case "forwarded-tcpip", "forwarded-streamlocal@openssh.com":
			serve = c.serveForwarded
		case "auth-agent@openssh.com":
			serve = c.serveAgent
		case "x11":
			serve = c.serveX11
		default:
			_ = asked.Reject(ssh.UnknownChannelType, "not asked for")
			c.leave()
			continue
		}
		c.channels.Go(func() {
			defer c.leave()
			serve(asked)
		})
	}
}

// serveTargetRequests answers the target's global requests. Its host keys are not the
// client's to learn: hostkeys-00@openssh.com goes no further.
func (c *connection) serveTargetRequests() {
	for request := range c.up.Requests {
		if request.Reply(request.Type == keepalive, nil) != nil {
			c.end(errLost)
		}
	}
}

// place takes one of the connection's places for channels.
func (c *connection) place() bool {
	select {
	case c.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (c *connection) leave() { <-c.places }

// mayAsk makes a client wait that asks too much, and everything behind that: package
// ssh reads on when what it has read is taken.
func (c *connection) mayAsk() bool { return c.asks.Wait(c.ctx) == nil }

// admit is Session.Admit. An error that is not usable has ended the connection.
func (c *connection) admit(action policy.Action, text string, hold *session.Hold) (session.Admission, error) {
	action.Protocol, action.Statements = protocol, 1
	if action.SSH == nil {
		action.SSH = &policy.SSHAction{}
	}
	action.SSH.Login = c.login
	admission, err := c.session.Admit(c.ctx, session.Operation{Action: action, Text: text, Hold: hold})
	if err == nil {
		return admission, nil
	}
	if _, ok := usable(err); !ok {
		c.end(err)
		return admission, err
	}
	_ = c.refusals.Wait(c.ctx)
	return admission, err
}

// unknown is what is refused because nobody here knows it.
func unknown(kind, why string) policy.Action {
	return policy.Action{Kind: clean(kind), Unknown: why}
}

// refuseChannel records and refuses a channel of a type that is not known.
func (c *connection) refuseChannel(asked ssh.NewChannel) {
	kind := clean(asked.ChannelType())
	_, err := c.admit(unknown(kind, "channels of this type are not known"), "channel "+kind, nil)
	c.reject(asked, ssh.UnknownChannelType, err)
}

// reject says why a channel is not opened; the client's program shows it.
func (c *connection) reject(asked ssh.NewChannel, reason ssh.RejectionReason, err error) {
	words, ok := usable(err)
	if !ok {
		words = "the session ends"
	}
	_ = asked.Reject(reason, "sallyport: "+clean(words))
}

// tell tells the client something in passing, where a session channel is open.
func (c *connection) tell(message string) error {
	c.mu.Lock()
	var to *sessionChannel
	for p := range c.programs {
		if to == nil || p.number < to.number {
			to = p
		}
	}
	c.mu.Unlock()
	if to != nil {
		to.tell(message)
	}
	return context.Cause(c.ctx)
}
