package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// maxPending is how many requests the target may have to answer at once; a client
	// that asks more waits. OpenSSH's sends 64.
	maxPending = 256
	// maxFiles is how many handles a channel may have open.
	maxFiles = 1024
	// answerTimeout bounds what the target may take for a question of the relay's own.
	answerTimeout = 30 * time.Second
)

// Config of a Relay.
type Config struct {
	Client, Target io.ReadWriter
	Gate           Gate
	// CloseTarget ends the writing to the target, when the client has.
	CloseTarget func() error
}

// Relay is one sftp channel. ServeClient and ServeTarget run at the same time.
type Relay struct {
	Config
	ctx  context.Context
	stop context.CancelCauseFunc
	walk walk

	// greeted is closed when the target has said what it speaks; offered are the
	// extensions that the client was told of.
	greeted chan struct{}
	offered map[string]bool
	// initiated says that the client has begun; ServeTarget takes no answer before.
	initiated chan struct{}

	// toClient is held by whoever writes to the client.
	toClient sync.Mutex
	up       batch
	start    string

	// free are the slots that no request is in.
	free  chan uint32
	mu    sync.Mutex
	slots [maxPending]*pending
	// ids are the newest of each slot: a target that answers twice finds another there.
	ids   [maxPending]uint32
	files map[string]*file
	// opening is how many answers may still add to files.
	opening int
}

// pending is a request that the target has to answer.
type pending struct {
	id       uint32
	clientID uint32
	kind     byte
	ext      string
	// file that a handle's request is about, or an open makes.
	file   *file
	offset uint64
	length uint64
	// job is what was admitted, where the request was an operation of its own.
	job       *job
	operation int64
	// done is closed when it was answered; nil where nobody waits.
	done chan struct{}
	// own takes the answer to a question of the relay's own.
	own chan answer
}

// New returns a relay that nobody serves yet. It ends with ctx.
func New(ctx context.Context, config Config) *Relay {
	r := &Relay{
		Config: config, greeted: make(chan struct{}), initiated: make(chan struct{}),
		free: make(chan uint32, maxPending), files: map[string]*file{},
	}
	r.ctx, r.stop = context.WithCancelCause(ctx)
	r.walk = walk{asker: r, home: r.home}
	r.up = batch{to: config.Target}
	for i := range uint32(maxPending) {
		r.free <- i
	}
	return r
}

// errOver is a relay whose other half has ended.
var errOver = errors.New("the sftp channel is over")

// forward takes a slot for a request and sends it.
func (r *Relay) forward(p *pending, packet []byte) error {
	if err := r.occupy(p); err != nil {
		return err
	}
	setID(packet, p.id)
	return r.up.add(packet)
}

func (r *Relay) occupy(p *pending) error {
	var slot uint32
	select {
	case slot = <-r.free:
	default:
		// The answers that free a slot are to what is still to be sent.
		if err := r.up.flush(); err != nil {
			return err
		}
		select {
		case slot = <-r.free:
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
	r.mu.Lock()
	if r.ids[slot] += maxPending; r.ids[slot]%maxPending != slot {
		r.ids[slot] = slot
	}
	p.id, r.slots[slot] = r.ids[slot], p
	if p.kind == typeOpen || p.kind == typeOpendir {
		r.opening++
	}
	r.mu.Unlock()
	return nil
}

// answered finds what a response is to, and frees its slot.
func (r *Relay) answered(id uint32) (*pending, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slot := id % maxPending
	p := r.slots[slot]
	if p == nil || p.id != id {
		return nil, errUnasked
	}
	r.slots[slot] = nil
	r.free <- slot
	return p, nil
}

// errUnasked is a target that answers what nobody asked, or not in the way it was asked.
var errUnasked = errors.New("the target's sftp answers what was not asked")

// ask implements asker in the client's own channel.
func (r *Relay) ask(ctx context.Context, questions []question) ([]answer, error) {
	waiting := make([]*pending, len(questions))
	for i, q := range questions {
		waiting[i] = &pending{kind: q.kind, own: make(chan answer, 1)}
		if err := r.forward(waiting[i], q.packet(0)); err != nil {
			return nil, err
		}
	}
	if err := r.up.flush(); err != nil {
		return nil, err
	}
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	answers := make([]answer, len(questions))
	for i, p := range waiting {
		select {
		case answers[i] = <-p.own:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, fmt.Errorf("the target's sftp does not answer within %s", answerTimeout)
		}
	}
	return answers, nil
}

func (r *Relay) home(ctx context.Context) (string, error) {
	if r.start != "" {
		return r.start, nil
	}
	home, err := askHome(ctx, r, question{typeRealpath, "."})
	if err == nil {
		r.start = home
	}
	return home, err
}

// reply answers the client in the target's stead.
func (r *Relay) reply(packet []byte) error {
	r.toClient.Lock()
	defer r.toClient.Unlock()
	_, err := r.Client.Write(packet)
	return err
}

// batch joins packets that follow each other in memory into one write.
type batch struct {
	to  io.Writer
	run []byte
	// file that run writes to, which is recorded before; nil where it writes to none.
	file *file
}

// add takes a packet, which must stay as it is until the next flush.
func (b *batch) add(packet []byte) error {
	if n := len(b.run); n > 0 {
		// Both are slices of one buffer where the second begins behind the first.
		if cap(b.run) >= n+len(packet) && &b.run[:n+1][n] == &packet[0] {
			b.run = b.run[:n+len(packet)]
			return nil
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
	b.run = packet
	return nil
}

func (b *batch) flush() error {
	if len(b.run) == 0 {
		return nil
	}
	if b.file != nil {
		if err := b.file.beforeForward(); err != nil {
			return err
		}
		b.file = nil
	}
	_, err := b.to.Write(b.run)
	b.run = nil
	return err
}
