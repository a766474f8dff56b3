package terminal

import (
	"bytes"
	"time"
)

const (
	// mostTyped bounds what is kept of it.
	mostTyped = 4 << 10
	// remembered is how long an echo may take.
	remembered = time.Second
)

// echo knows what a terminal will repeat of what was typed just now. Passwords are typed
// too, and never repeated: they are forgotten after a second.
type echo struct {
	expected []byte
	at       time.Time
}

func (e *echo) typed(p []byte, now time.Time) {
	if now.Sub(e.at) > remembered {
		e.forget()
	}
	e.at = now
	if e.expected == nil {
		e.expected = make([]byte, 0, mostTyped)
	}
	for _, c := range p {
		switch {
		case len(e.expected)+3 > mostTyped:
			e.forget()
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
	if len(e.expected) == 0 {
		return 0
	}
	if now.Sub(e.at) > remembered {
		e.forget()
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
	clear(e.expected[:cap(e.expected)])
	e.expected = e.expected[:0]
}
