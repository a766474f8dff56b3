package postgres

import (
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

const (
	// maxSteps bounds how far a client may run ahead of the target's answers.
	maxSteps = 1024
	// maxNames bounds prepared statements, and portals of one transaction.
	maxNames = 8192
)

// pipeline is what the two directions of a session share: the steps whose answers
// are still to come, and what the target has confirmed. The frontend's goroutine
// pushes, the backend's pops.
type pipeline struct {
	mu      sync.Mutex
	changed sync.Cond
	// steps waiting, the oldest first, from first on.
	steps []step
	first int
	// pushed and popped are the serials of the newest step in and out, answered the
	// last segment that is.
	pushed, popped, answered int64
	// skipping says that the target has failed in a segment whose Sync is not sent yet:
	// it ignores everything up to that.
	skipping bool
	// copying is the operation that the target takes data for, 0 if none.
	copying int64
	// statements and portals that the target has confirmed.
	statements map[string]*statement
	portals    map[string]*portal
	// status of the transaction at the last ReadyForQuery.
	status byte
	// transactions counts the explicit ones that have ended.
	transactions int64
	// own is the query of our own that the target is answering; nil if none. Nothing
	// else is in the pipeline then.
	own atomic.Pointer[own]
	// bytes of text kept, of confirmed statements and of steps.
	bytes int64
	err   error
}

func newPipeline(status byte) *pipeline {
	p := &pipeline{status: status, statements: map[string]*statement{}, portals: map[string]*portal{}}
	p.changed.L = &p.mu
	return p
}

// fail ends all waiting, for ever.
func (p *pipeline) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.changed.Broadcast()
}

// push adds a copy of a step whose message is about to be sent, and returns false for
// one that the target is going to skip, with the operations that do not run.
func (p *pipeline) push(s *step) (ok bool, ended []ending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.skipping && s.kind != stepSync {
		return false, s.abandon(notRun)
	}
	p.skipping = false
	p.pushed++
	s.serial = p.pushed
	p.bytes += s.cost
	p.steps = append(p.steps, *s)
	return true, nil
}

// room says whether another step fits.
func (p *pipeline) room() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.steps)-p.first < maxSteps
}

// busy says whether the target has something left to do.
func (p *pipeline) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.steps) > p.first
}

// await blocks until done, which is called with mu held, or for ever failed.
func (p *pipeline) await(done func() bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.err == nil && !done() {
		p.changed.Wait()
	}
	return p.err
}

// head is the step that the target is answering, nil if none. It is there until pop, or
// until mu is given back. Callers hold mu.
func (p *pipeline) head() *step {
	if p.first == len(p.steps) {
		return nil
	}
	return &p.steps[p.first]
}

// pop ends the head. Callers hold mu.
func (p *pipeline) pop() {
	s := &p.steps[p.first]
	p.popped = s.serial
	p.bytes -= s.cost
	*s = step{}
	p.first++
	if p.first == len(p.steps) {
		p.steps, p.first = p.steps[:0], 0
	} else if p.first >= maxSteps {
		p.steps = p.steps[:copy(p.steps, p.steps[p.first:])]
		p.first = 0
	}
	p.changed.Broadcast()
}

// skip ends what the target ignores after an error in the extended protocol: all up
// to the next Sync, which may be still to come. Callers hold mu.
func (p *pipeline) skip() (ended []ending) {
	for s := p.head(); s != nil; s = p.head() {
		if s.kind == stepSync {
			return ended
		}
		if s.kind == stepQuery {
			p.answered = s.segment
		}
		ended = append(ended, s.abandon(notRun)...)
		p.pop()
	}
	p.skipping = true
	return ended
}

// prepared takes a statement that the target has made. Callers hold mu.
func (p *pipeline) prepared(name string, s *statement) {
	p.unprepared(name)
	p.statements[name] = s
	p.bytes += int64(len(s.text))
}

// unprepared takes a statement that the target has dropped. Callers hold mu.
func (p *pipeline) unprepared(name string) {
	if s := p.statements[name]; s != nil {
		p.bytes -= int64(len(s.text))
		delete(p.statements, name)
	}
}

// forget takes that the target has dropped all statements with a name. Callers hold mu.
func (p *pipeline) forget() {
	for name := range p.statements {
		if name != "" {
			p.unprepared(name)
		}
	}
}

// ready ends the segment that the head is the last of. Callers hold mu.
func (p *pipeline) ready(status byte) {
	s := p.head()
	p.answered = s.segment
	p.copying = 0
	p.status = status
	if s.kind == stepQuery {
		// A simple query drops the unnamed statement, whatever becomes of it.
		p.unprepared("")
	}
	if status == wire.StatusIdle {
		p.transactions++
		// No portal outlives its transaction.
		clear(p.portals)
	}
	p.pop()
}

// answeredOwn ends a query of our own.
func (p *pipeline) answeredOwn(status byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
	if status == wire.StatusIdle {
		p.transactions++
		clear(p.portals)
	}
	p.own.Store(nil)
	p.changed.Broadcast()
}

// completed takes that the step has run another operation. Callers hold mu.
func (p *pipeline) completed(s *step, tag string) {
	i := s.ran - 1
	if i >= len(s.readings) || s.readings[i] == nil {
		return
	}
	reading := s.readings[i]
	switch kind := reading.Action.Kind; {
	case ends(kind):
		p.transactions++
	case kind == kindPrepare && i < len(s.makes) && s.makes[i] != nil:
		p.prepared(reading.Node, s.makes[i])
	case kind == kindDeallocate && reading.Node != "":
		p.unprepared(reading.Node)
	case tag == "DEALLOCATE ALL", tag == "DISCARD ALL":
		p.forget()
	}
}
