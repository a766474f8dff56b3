package terminal

import (
	"bytes"
	"sync"
	"time"
)

const (
	// mostTyped bounds what is kept of it.
	mostTyped = 4 << 10
	// remembered is how long an echo may take.
	remembered = time.Second
)

// echo knows what a terminal will repeat of what was typed just now. Passwords are typed
// too, and never repeated: after a second nothing counts any more, and what comes next
// clears it.
type echo struct {
	mu       sync.Mutex
	expected []byte
	at       time.Time
}

func (e *echo) typed(p []byte, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.at) > remembered {
		e.clear()
	}
	e.at = now
	if e.expected == nil {
		e.expected = make([]byte, 0, mostTyped)
	}
	for _, c := range p {
		switch {
		case len(e.expected)+3 > mostTyped:
			e.clear()
		case c == '\r' || c == '\n':
			e.expected = append(e.expected, "\r\n"...)
		case c == 0x7f || c == '\b':
			e.expected = append(e.expected, "\b \b"...)
		case c >= ' ':
			e.expected = append(e.expected, c)
		}
	}
}

// repeats is how many bytes of a piece are the echo of what was typed: all of it, or
// all that was expected.
func (e *echo) repeats(p []byte, now time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.expected) == 0 {
		return 0
	}
	if now.Sub(e.at) > remembered {
		e.clear()
		return 0
	}
	n := min(len(p), len(e.expected))
	if !bytes.Equal(p[:n], e.expected[:n]) {
		return 0
	}
	left := copy(e.expected, e.expected[n:])
	clear(e.expected[left:])
	e.expected = e.expected[:left]
	return n
}

func (e *echo) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clear()
}

func (e *echo) clear() {
	clear(e.expected[:cap(e.expected)])
	e.expected = e.expected[:0]
}
