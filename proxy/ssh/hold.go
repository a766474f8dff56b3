package ssh

import (
	"context"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
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
	action    *policy.SSHAction
	cancelled chan struct{}
	once      sync.Once
	// released ends the watch, and watched is closed when it has; nil while nothing is held.
	released chan struct{}
	watched  chan struct{}
}

func (s *sessionChannel) hold(action *policy.Action) *held {
	h := &held{channel: s, action: action.SSH, cancelled: make(chan struct{})}
	h.Hold = session.Hold{Describe: h.describe, Cancelled: h.cancelled, Tell: func(message string) error {
		s.tell(message)
		return context.Cause(s.ctx)
	}}
	return h
}

// describe completes the question, and begins the wait.
func (h *held) describe(_ context.Context, question *v1alpha1.HeldOperation) {
	question.Warnings = append(question.Warnings, leads(h.action)...)
	h.released, h.watched = make(chan struct{}), make(chan struct{})
	if h.channel.terminal != nil && !h.channel.started {
		// Ctrl-C of a raw terminal is a byte.
		h.channel.typed.watch(h.cancel)
	}
	go h.channel.caught(func() {
		defer close(h.watched)
		h.watch()
	})()
}

// leads is what a program touches, as its reviewers are told: its own words may name links.
func leads(action *policy.SSHAction) (lines []string) {
	if action == nil {
		return nil
	}
	for i := range action.Files {
		lines = append(lines, "on the target: "+string(action.Files[i].Access)+" "+clean(action.Files[i].Path))
	}
	if action.Repository != "" {
		lines = append(lines, "on the target: repository "+clean(action.Repository))
	}
	return lines
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
			if request.Type == "signal" && isInterrupt(request.Payload) {
				h.cancel()
			}
			if !s.queue(request) {
				h.cancel()
			}
		case <-h.released:
			return
		}
	}
}

// queue keeps a request until those before it are answered: answers are in the order of
// their requests (RFC 4254 section 5.4). Of a terminal's sizes in a row the last counts.
// False is a client that asks too much: its channel is closed.
func (s *sessionChannel) queue(request *ssh.Request) bool {
	last := len(s.queued) - 1
	switch {
	case !request.WantReply && request.Type == keepalive:
	case !request.WantReply && last >= 0 && request.Type == "window-change" && s.queued[last].Type == request.Type && !s.queued[last].WantReply:
		s.queued[last] = request
	case len(s.queued) < maxQueued:
		s.queued = append(s.queued, request)
	default:
		s.queued = nil
		_ = s.client.Close()
		return false
	}
	return true
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
