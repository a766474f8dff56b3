package ssh

import (
	"context"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/session"
)

// maxQueued bounds the requests that wait behind one that is held.
const maxQueued = 64

// held is how a session channel lives through the wait for reviewers: the client is
// listened to meanwhile, for it may close the channel, or interrupt. Nothing of it costs
// a request that is not held.
type held struct {
	session.Hold
	channel   *sessionChannel
	cancelled chan struct{}
	once      sync.Once
	// released ends the watch, and watched is closed when it has; nil while nothing is held.
	released chan struct{}
	watched  chan struct{}
}

func (s *sessionChannel) hold() *held {
	h := &held{channel: s, cancelled: make(chan struct{})}
	h.Hold = session.Hold{Describe: h.describe, Cancelled: h.cancelled, Tell: func(message string) error {
		s.tell(message)
		return context.Cause(s.ctx)
	}}
	return h
}

// describe begins the wait.
func (h *held) describe(context.Context, *v1alpha1.HeldOperation) {
	h.released, h.watched = make(chan struct{}), make(chan struct{})
	if h.channel.terminal != nil && !h.channel.started {
		// Ctrl-C of a raw terminal is a byte.
		h.channel.typed.watch(h.cancel)
	}
	go func() {
		defer close(h.watched)
		h.watch()
	}()
}

// over ends the wait.
func (h *held) over() {
	if h.released == nil {
		return
	}
	close(h.released)
	<-h.watched
	h.channel.typed.watch(nil)
}

func (h *held) cancel() { h.once.Do(func() { close(h.cancelled) }) }

// watch listens to the client while its request is held.
func (h *held) watch() {
	s := h.channel
	for {
		select {
		case request, ok := <-s.asked:
			if !ok {
				s.gone = true
				h.cancel()
				return
			}
			switch {
			case request.Type == "signal" && isInterrupt(request.Payload):
				h.cancel()
				_ = request.Reply(true, nil)
			case request.Type == keepalive:
				_ = request.Reply(true, nil)
			case len(s.queued) < maxQueued:
				s.queued = append(s.queued, request)
			default:
				_ = request.Reply(false, nil)
			}
		case <-h.released:
			return
		}
	}
}

// isInterrupt says whether a signal means that the client no longer wants to wait.
func isInterrupt(payload []byte) bool {
	var asked signalRequest
	if ssh.Unmarshal(payload, &asked) != nil {
		return false
	}
	switch asked.Signal {
	case "INT", "TERM", "HUP", "QUIT", "KILL":
		return true
	}
	return false
}
