package postgres

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// frontend judges what the client says, and forwards what is admitted. Output is
// gathered, and goes out before a read that may block.
type frontend struct {
	*relay
	ctx   context.Context
	judge Judge
	now   func() time.Time
	// view is what texts mean now.
	view view
	// limit of a message, in bytes.
	limit int64

	out batch
	// segment is the number of the run of messages up to the next Sync or Query.
	segment int64
	// open says that a message of this segment has been sent.
	open bool
	// skipping says that a message of this segment was refused: like the target, we
	// ignore the rest of it.
	skipping bool
	// undecided is a Parse that may be one operation with the Bind after it.
	undecided *pendingParse

	// ruled says that the policy has rules, which may ask for more than the text.
	ruled bool
	// holdTimeout is how long a statement is held.
	holdTimeout time.Duration
	transaction transaction
	hold        hold
	gate        gate
	observer    observer

	statements scope[statement]
	portals    scope[portal]
	copying    copying
}

func (e *Engine) frontend(r *relay, seen view) *frontend {
	state := r.session.State()
	f := &frontend{relay: r, judge: e.options.Judge, now: e.options.Now, view: seen, limit: e.options.MaxMessage, segment: 1}
	f.observer = observer{session: r.session, task: state.Task.ID, path: seen.asked}
	if state.Grant != nil {
		f.ruled = len(state.Grant.Policy.Rules) > 0
		f.gate.spec = state.Grant.Policy
		f.gate.on = slices.ContainsFunc(state.Grant.Policy.Rules, func(r v1alpha1.Rule) bool { return r.Effect == v1alpha1.EffectHoldCommit })
		f.holdTimeout = policy.HoldTimeout(state.Grant.Policy)
	}
	f.prepareHold()
	return f
}

// run ends with the client, or with an error.
func (f *frontend) run() error {
	f.out.to = f.up
	in := f.client.reader
	for {
		frame, ok, err := in.Next()
		if err != nil {
			return err
		}
		if !ok {
			if err := f.flush(); err != nil {
				return err
			}
			if err := in.Fill(); errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			} else if err != nil {
				return errLeft
			}
			continue
		}
		if err := f.take(frame); err != nil {
			return err
		}
		in.Release()
	}
}

// flush sends all that is admitted.
func (f *frontend) flush() error {
	if err := f.settleCopy(); err != nil {
		return err
	}
	return f.out.flush()
}

// take judges one message.
func (f *frontend) take(frame wire.Frame) error {
	if f.copying.step != 0 && frame.Type != wire.TypeTerminate {
		return f.takeCopy(frame)
	}
	if f.undecided != nil && (f.skipping || frame.Type != wire.TypeBind) {
		if err := f.decideParse(); err != nil {
			return err
		}
	}
	switch frame.Type {
	case wire.TypeCopyData, wire.TypeCopyDone, wire.TypeCopyFail:
		// Left over from a COPY that has failed: the protocol has them ignored.
		return nil
	case wire.TypeTerminate:
		if err := f.flush(); err != nil {
			return err
		}
		return errLeft
	case wire.TypeSync:
		return f.sync(frame.Raw)
	}
	if f.skipping {
		return nil
	}
	switch frame.Type {
	case wire.TypeQuery:
		return f.query(frame)
	case wire.TypeParse:
		return f.parse(frame)
	case wire.TypeBind:
		return f.bind(frame)
	case wire.TypeDescribe:
		return f.describe(frame)
	case wire.TypeExecute:
		return f.execute(frame)
	case wire.TypeClose:
		return f.close(frame)
	case wire.TypeFlush:
		return f.out.add(frame.Raw)
	case wire.TypeFunctionCall:
		return f.functionCall()
	}
	return broken("message %q cannot come here", frame.Type)
}

// forward pushes the step and sends its message. The operations of one that the
// target would skip have not run.
func (f *frontend) forward(s *step, message []byte) error {
	if !f.pipeline.room() {
		// The target may hold back the answers that would make room.
		if err := f.out.add(wire.AppendFlush(nil)); err != nil {
			return err
		}
		if err := f.flush(); err != nil {
			return err
		}
		if err := f.pipeline.await(func() bool { return len(f.pipeline.steps)-f.pipeline.first < maxSteps }); err != nil {
			return err
		}
	}
	s.segment, s.catalog = f.segment, f.view.Catalog
	pushed, ended := f.pipeline.push(s)
	for _, e := range ended {
		if err := f.session.Result(f.ctx, record.Result{Operation: e.operation, Error: e.code}); err != nil {
			return err
		}
	}
	if !pushed {
		return nil
	}
	f.open = true
	return f.out.add(message)
}

// sync ends the segment.
func (f *frontend) sync(raw []byte) error {
	if err := f.forward(&step{kind: stepSync}, raw); err != nil {
		return err
	}
	return f.endSegment()
}

// answered waits until the target has answered the segment.
func (f *frontend) answered(segment int64) error {
	p := f.pipeline
	p.mu.Lock()
	there := p.answered >= segment
	p.mu.Unlock()
	if there {
		return nil
	}
	if err := f.flush(); err != nil {
		return err
	}
	return p.await(func() bool { return p.answered >= segment })
}

func (f *frontend) endSegment() error {
	if len(f.statements.changed) >= maxNames || len(f.portals.changed) >= maxNames {
		if err := f.answered(f.segment - 1); err != nil {
			return err
		}
	}
	f.pipeline.mu.Lock()
	answered := f.pipeline.answered
	f.pipeline.mu.Unlock()
	f.statements.end(f.segment, answered)
	f.portals.end(f.segment, answered)
	f.segment++
	f.skipping, f.open = false, false
	return nil
}

// resolve is what a name stands for now; nil if for nothing.
func resolve[T any](f *frontend, s *scope[T], confirmed map[string]*T, name string) (*T, error) {
	if value, ok := s.current[name]; ok {
		return value, nil
	}
	if s.moved == f.segment {
		return nil, nil
	}
	p := f.pipeline
	if segment := max(s.changed[name], s.moved); segment > 0 {
		if err := f.answered(segment); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return confirmed[name], nil
}

// batch gathers what goes to the target.
type batch struct {
	to  interface{ Write([]byte) (int, error) }
	buf []byte
}

// add takes a message. One that is large goes out at once, uncopied, behind what is
// gathered: a Bind before its Parse would run another statement than was judged.
func (b *batch) add(message []byte) error {
	large := len(message) > wire.BufferSize/2
	if large || len(b.buf)+len(message) > wire.BufferSize {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if large {
		_, err := b.to.Write(message)
		return err
	}
	b.buf = append(b.buf, message...)
	return nil
}

func (b *batch) flush() error {
	if len(b.buf) == 0 {
		return nil
	}
	_, err := b.to.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}
