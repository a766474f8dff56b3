package ssh

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
)

// interrupt is Ctrl-C, as a raw terminal sends it.
const interrupt = 0x03

// maxTyped bounds what is typed ahead of a program that is held.
const maxTyped = 32 << 10

// input hands on what the client sends to a program, once there is one. While the
// program waits for its reviewers, what is typed is kept, and looked at for Ctrl-C.
type input struct {
	channel *sessionChannel
	once    sync.Once

	mu   sync.Mutex
	wake *sync.Cond
	kept []byte
	// stopped says that nobody wants it.
	stopped     bool
	interrupted func()
	// to is where it goes: nil while the program waits, then fixed.
	to io.Writer
	// record and end of the program that runs.
	record func([]byte) error
	finish func(error)
	// bytes that have been handed on.
	bytes atomic.Int64
}

func newInput(s *sessionChannel) *input {
	i := &input{channel: s}
	i.wake = sync.NewCond(&i.mu)
	return i
}

// watch looks for Ctrl-C from now on; nil no longer does.
func (i *input) watch(interrupted func()) {
	i.mu.Lock()
	i.interrupted = interrupted
	i.mu.Unlock()
	if interrupted != nil {
		i.read()
	}
}

// release lets what was typed pass: each chunk is recorded, then handed on; finish is
// called once, at the end of it.
func (i *input) release(to io.Writer, record func([]byte) error, finish func(error)) {
	i.mu.Lock()
	i.record, i.finish = record, finish
	i.mu.Unlock()
	i.read()
	if kept := i.rest(to); len(kept) > 0 {
		// The program may take it late, or never: its output is not to wait for that.
		i.channel.channels.Go(func() { i.catchUp(to, kept) })
	}
}

// catchUp hands on what was kept.
func (i *input) catchUp(to io.Writer, kept []byte) {
	for len(kept) > 0 {
		if err := i.hand(to, kept); err != nil {
			i.stop()
			i.finish(err)
			return
		}
		kept = i.rest(to)
	}
}

// rest is what was kept and is to be handed on. Where nothing is, all that comes passes
// from now on.
func (i *input) rest(to io.Writer) (kept []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopped {
		return nil
	}
	if kept, i.kept = i.kept, nil; len(kept) == 0 {
		i.to = to
	}
	i.wake.Broadcast()
	return kept
}

// read begins to read, once.
func (i *input) read() {
	i.once.Do(func() {
		i.channel.channels.Go(i.run)
	})
}

// stop discards the rest.
func (i *input) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopped = true
	i.wake.Broadcast()
}

// run reads to the end. Before the program is there it reads small chunks.
func (i *input) run() {
	b := newBuffer()
	defer b.free()
	for {
		n, err := i.channel.client.Read(b.bytes)
		if n > 0 && !i.take(b.bytes[:n]) {
			return
		}
		if err != nil {
			i.take(nil)
			return
		}
		b.adapt(n)
	}
}

// take hands a chunk on, or keeps it; nil is the end. False is an input that nobody
// wants any more.
func (i *input) take(chunk []byte) bool {
	i.mu.Lock()
	for i.to == nil && !i.stopped {
		if i.interrupted != nil && bytes.IndexByte(chunk, interrupt) >= 0 {
			i.interrupted()
		}
		if chunk != nil && len(i.kept)+len(chunk) <= maxTyped {
			i.kept = append(i.kept, chunk...)
			i.mu.Unlock()
			return true
		}
		i.wake.Wait()
	}
	stopped := i.stopped
	i.mu.Unlock()
	if stopped {
		return false
	}
	err := i.hand(i.to, chunk)
	if err != nil || chunk == nil {
		i.finish(err)
	}
	return err == nil
}

// hand records a chunk, and hands it on.
func (i *input) hand(to io.Writer, chunk []byte) error {
	if len(chunk) == 0 {
		return nil
	}
	if i.record != nil {
		if err := i.record(chunk); err != nil {
			return &recordError{err}
		}
	}
	n, err := to.Write(chunk)
	i.bytes.Add(int64(n))
	return err
}
