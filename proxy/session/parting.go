package session

import (
	"context"
	"time"
)

// partWithin bounds how long an engine may speak with the target after the session's end.
const partWithin = 300 * time.Millisecond

// parting is the time between the session's end and the cut of its ways to the target.
type parting struct {
	// way ends when that time is over.
	way context.Context
	cut context.CancelFunc
}

// Parting keeps the ways to the target for a moment after the session's end, for an engine
// that has something to undo there: programs that would go on. Admit, Stream and Chunk
// refuse everything by then. done ends that moment, and is called in any case; without it
// the cut comes after partWithin.
func (s *Session) Parting() (done func()) {
	p := &parting{}
	p.way, p.cut = context.WithCancel(context.WithoutCancel(s.context))
	s.parting.Store(p)
	return p.cut
}

// part waits until nothing goes to the target any more.
func (s *Session) part() {
	p := s.parting.Load()
	if p == nil {
		return
	}
	timer := time.NewTimer(partWithin)
	defer timer.Stop()
	select {
	case <-p.way.Done():
	case <-timer.C:
		p.cut()
	}
}

// way ends when nothing may go to the target any more.
func (s *Session) way() context.Context {
	if p := s.parting.Load(); p != nil {
		return p.way
	}
	return s.context
}
