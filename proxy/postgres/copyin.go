package postgres

import (
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// maxUnsettled is how much of a COPY is gathered before it is recorded, in bytes.
const maxUnsettled = 64 << 10

// copying is a COPY that the client sends the data of.
type copying struct {
	// step is the serial of the Query or Execute, 0 if there is none.
	step   int64
	simple bool
	// operation that the data belong to.
	operation int64
	// data received and not recorded yet, and the messages that they came in.
	data, messages []byte
	// passing says that the message being received goes to the target: all of it, or
	// the target would take what follows for its rest.
	passing bool
}

// awaitCopy waits until the target takes data, or has answered the step. What the
// client sends depends on that: in one case a Sync ends the segment, in the other it
// means nothing.
func (f *frontend) awaitCopy(s *step) error {
	if s.kind == stepExecute {
		if err := f.out.add(wire.AppendFlush(nil)); err != nil {
			return err
		}
	}
	f.copying.step, f.copying.simple = s.serial, s.kind == stepQuery
	return f.continueCopy()
}

// continueCopy waits for the next COPY of the step, or its end.
func (f *frontend) continueCopy() error {
	if err := f.flush(); err != nil {
		return err
	}
	p, c := f.pipeline, &f.copying
	last := c.operation
	if err := p.await(func() bool {
		return p.popped >= c.step || p.copying != 0 && p.copying != last
	}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.popped >= c.step {
		c.step, c.operation = 0, 0
		return nil
	}
	c.operation = p.copying
	return nil
}

// takeCopy follows the protocol of COPY: the target ignores Flush and Sync while it
// takes data.
func (f *frontend) takeCopy(frame wire.Frame) error {
	c := &f.copying
	switch frame.Type {
	case wire.TypeCopyData:
		if frame.Begins {
			c.passing = f.copyOpen()
		}
		if !c.passing {
			return nil
		}
		c.data = append(c.data, frame.Body()...)
		c.messages = append(c.messages, frame.Raw...)
		if len(c.messages) < maxUnsettled {
			return nil
		}
		return f.settleCopy()
	case wire.TypeCopyDone, wire.TypeCopyFail:
		if err := f.settleCopy(); err != nil {
			return err
		}
		if f.copyOpen() {
			if err := f.out.add(frame.Raw); err != nil {
				return err
			}
		}
		if c.simple {
			return f.continueCopy()
		}
		c.step, c.operation = 0, 0
		return nil
	case wire.TypeFlush, wire.TypeSync:
		if f.copyOpen() {
			return nil
		}
	default:
		if f.copyOpen() {
			return broken("message %q while the target takes COPY data", frame.Type)
		}
	}
	// The COPY has failed: the message is an ordinary one.
	if err := f.settleCopy(); err != nil {
		return err
	}
	c.step, c.operation = 0, 0
	return f.take(frame)
}

// settleCopy records the data received, then lets them go out.
func (f *frontend) settleCopy() error {
	c := &f.copying
	if len(c.messages) == 0 {
		return nil
	}
	defer func() { c.data, c.messages = c.data[:0], c.messages[:0] }()
	if err := f.session.Stream(f.ctx, c.operation, c.data); err != nil {
		return err
	}
	return f.out.add(c.messages)
}

// copyOpen says whether the target still takes the data.
func (f *frontend) copyOpen() bool {
	f.pipeline.mu.Lock()
	defer f.pipeline.mu.Unlock()
	return f.copying.operation != 0 && f.pipeline.copying == f.copying.operation
}
