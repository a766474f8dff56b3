package restricted

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

const (
	// mostAhead bounds what is typed ahead, in bytes; then who types waits.
	mostAhead = 64 << 10
	// longestLine is as long as the editor's.
	longestLine = 4096
)

const (
	ctrlC = 0x03
	ctrlD = 0x04
)

// Keyboard is what the client types: for the editor, or for the command that runs. What
// is not read by one is there for the next.
type Keyboard struct {
	mu      sync.Mutex
	wake    *sync.Cond
	pending []byte
	ended   bool
	// interrupted is called for Ctrl-C in place of passing it on.
	interrupted func()
	// returned says that the editor got a carriage return last: the line feed that some
	// send with it is none.
	returned bool
}

// NewKeyboard returns one on which nothing was typed.
func NewKeyboard() *Keyboard {
	k := &Keyboard{}
	k.wake = sync.NewCond(&k.mu)
	return k
}

var errEnded = errors.New("the shell has ended")

// Write types. It waits while too much is typed ahead.
func (k *Keyboard) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(p)
	if i := bytes.LastIndexByte(p, ctrlC); i >= 0 && k.interrupted != nil {
		// As a terminal does: what was typed before is forgotten.
		k.pending, p = k.pending[:0], p[i+1:]
		k.interrupted()
	}
	for len(k.pending) > 0 && len(k.pending)+len(p) > mostAhead && !k.ended {
		k.wake.Wait()
	}
	if k.ended {
		return 0, errEnded
	}
	k.pending = append(k.pending, p...)
	k.wake.Broadcast()
	return n, nil
}

// End is the end of all typing.
func (k *Keyboard) End() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	k.wake.Broadcast()
}

// OnInterrupt has f called for Ctrl-C; with nil it is a byte like others.
func (k *Keyboard) OnInterrupt(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interrupted = f
}

// Input is what is typed from now on, until it is closed.
func (k *Keyboard) Input() *Input { return &Input{keyboard: k} }

// Input is a command's.
type Input struct {
	keyboard *Keyboard
	closed   bool
}

// Read waits for what is typed.
func (i *Input) Read(p []byte) (int, error) {
	k := i.keyboard
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.pending) == 0 && !k.ended && !i.closed {
		k.wake.Wait()
	}
	if i.closed || len(k.pending) == 0 {
		return 0, io.EOF
	}
	return k.take(p, len(k.pending)), nil
}

// Close ends the reading, and leaves what is not read yet.
func (i *Input) Close() error {
	i.keyboard.mu.Lock()
	defer i.keyboard.mu.Unlock()
	i.closed = true
	i.keyboard.wake.Broadcast()
	return nil
}

// take moves up to n bytes into p.
func (k *Keyboard) take(p []byte, n int) int {
	n = copy(p, k.pending[:n])
	left := copy(k.pending, k.pending[n:])
	clear(k.pending[left:])
	k.pending = k.pending[:left]
	k.wake.Broadcast()
	return n
}

// editing gives the editor one line at most, so that what is typed behind it is the
// command's.
type editing struct {
	*Keyboard
	io.Writer
}

// cancelLine is what the editor gets for Ctrl-C: to the end of the line, away with it,
// and a new prompt.
const cancelLine = "\x05\x15\r"

func (e editing) Write(p []byte) (int, error) { return e.Writer.Write(p) }

func (e editing) Read(p []byte) (int, error) {
	k := e.Keyboard
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		for len(k.pending) == 0 && !k.ended {
			k.wake.Wait()
		}
		if len(k.pending) == 0 {
			return 0, io.EOF
		}
		if k.returned && k.pending[0] == '\n' {
			k.take(make([]byte, 1), 1)
			k.returned = false
			continue
		}
		break
	}
	k.returned = false
	if k.pending[0] == ctrlC && len(p) >= len(cancelLine) {
		k.take(p[:1], 1)
		return copy(p, cancelLine), nil
	}
	n := len(k.pending)
	if i := bytes.IndexAny(k.pending, "\r\n\x03"); i >= 0 {
		n = i
		if k.pending[i] != ctrlC {
			n++
		}
	}
	n = k.take(p, n)
	if n > 0 && p[n-1] == '\r' {
		k.returned = true
	}
	return n, nil
}

var errLong = errors.New("the line is too long: 4096 bytes are the most")

// line is the next line of a client without a terminal.
func (k *Keyboard) line() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		i := bytes.IndexByte(k.pending, '\n')
		switch {
		case i > longestLine, i < 0 && len(k.pending) > longestLine:
			return "", errLong
		case i >= 0:
			text := make([]byte, i+1)
			k.take(text, i+1)
			return string(bytes.TrimRight(text, "\r\n")), nil
		case k.ended && len(k.pending) == 0:
			return "", io.EOF
		case k.ended:
			text := make([]byte, len(k.pending))
			k.take(text, len(text))
			return string(text), nil
		}
		k.wake.Wait()
	}
}
