package postgres

import (
	"bytes"
	"fmt"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
)

// pendingParse is a Parse that is not decided yet.
type pendingParse struct {
	name      string
	statement *statement
	message   []byte
}

// parse reads a statement, and keeps it back until the next message.
func (f *frontend) parse(frame wire.Frame) error {
	p, err := wire.ReadParse(frame.Body())
	if err != nil {
		return err
	}
	if err := distinct(p.Name); err != nil {
		return f.refuse(refusalName, err)
	}
	if err := f.fits(p.Name, int64(len(p.Text))); err != nil {
		return f.refuse(p.Name, err)
	}
	s := &statement{text: p.Text}
	s.types.Store(&p.Types)
	message := frame.Raw
	statements, err := f.read(p.Text)
	if err != nil {
		return f.refuse(p.Name, err)
	}
	s.epoch = f.view.epoch
	switch len(statements) {
	case 0:
		p.Text, s.text = "", ""
		message = wire.AppendParse(nil, p)
	case 1:
		s.reading = &statements[0]
	default:
		return f.refuse(p.Name, &fault{code: codeSyntax, message: "cannot insert multiple commands into a prepared statement"})
	}
	f.undecided = &pendingParse{name: p.Name, statement: s, message: bytes.Clone(message)}
	return nil
}

// decideParse admits a statement that is prepared alone.
func (f *frontend) decideParse() error {
	p := f.undecided
	f.undecided = nil
	if f.skipping {
		return nil
	}
	var operations []int64
	if p.statement.reading != nil {
		admission, err := f.admit(p.statement.reading, session.Operation{Text: p.statement.text, PrepareOnly: true})
		if err != nil {
			return f.refuse(p.name, err)
		}
		operations = []int64{admission.Operation}
	}
	return f.forwardParse(p, operations)
}

func (f *frontend) forwardParse(p *pendingParse, operations []int64) error {
	f.statements.set(p.name, p.statement)
	return f.forward(&step{kind: stepParse, name: p.name, statement: p.statement,
		operations: operations, cost: int64(len(p.statement.text))}, p.message)
}

// bind admits a portal: a statement with its values is one operation.
func (f *frontend) bind(frame wire.Frame) error {
	b, err := wire.ReadBind(frame.Body())
	if err != nil {
		return err
	}
	if err := distinct(b.Portal, b.Statement); err != nil {
		return f.refuseUndecided(err)
	}
	if err := f.fitsPortal(b.Portal); err != nil {
		return f.refuseUndecided(err)
	}
	if f.undecided != nil && f.undecided.name != b.Statement {
		if err := f.decideParse(); err != nil || f.skipping {
			return err
		}
	}
	name, pending := refusalName, f.undecided
	f.undecided = nil
	var prepared *statement
	if pending != nil {
		name, prepared = pending.name, pending.statement
	} else if prepared, err = resolve(f, &f.statements, f.pipeline.statements, b.Statement); err != nil {
		return err
	}
	if prepared == nil {
		return f.refuse(name, noStatement(b.Statement))
	}
	made := &portal{reading: prepared.reading}
	if made.reading, err = f.again(prepared); err != nil {
		return f.refuse(name, err)
	}
	if made.reading != nil {
		text := prepared.text
		if made.reading.Action.Kind == kindExecute {
			node := made.reading.Node
			if made.reading, text, err = f.expand(made.reading, text); err != nil {
				return f.refuse(name, err)
			}
			made.executes = node
			if made.runs, err = f.named(node); err != nil {
				return f.refuse(name, err)
			}
		}
		admission, err := f.admit(made.reading, session.Operation{
			Text: text, Values: bound(b), Literals: literals(b, *prepared.types.Load()),
		})
		if err != nil {
			return f.refuse(name, err)
		}
		made.operation = admission.Operation
		made.one.operations[0], made.one.readings[0] = made.operation, made.reading
		if made.one.formats[0], err = f.copyFormat(made.reading, prepared.text); err != nil {
			return f.refuse(name, err)
		}
	}
	if pending != nil {
		if err := f.forwardParse(pending, nil); err != nil {
			return err
		}
	}
	f.portals.set(b.Portal, made)
	return f.forward(&step{kind: stepBind, name: b.Portal, portal: made, operations: made.operations(), readings: made.readings()},
		f.client.reader.Held(0))
}

// again is what a prepared statement does now: like the target, which plans it anew, we
// read it anew when what its names mean has changed.
func (f *frontend) again(prepared *statement) (*sql.Statement, error) {
	if prepared.reading == nil || sets(prepared.reading.Action.Kind) || controls(prepared.reading.Action.Kind) {
		return prepared.reading, nil
	}
	known, err := f.follow()
	if err != nil {
		return nil, err
	}
	if known && prepared.epoch == f.view.epoch {
		return prepared.reading, nil
	}
	statements, err := f.read(prepared.text)
	if err != nil || len(statements) != 1 {
		return prepared.reading, err
	}
	return &statements[0], nil
}

// describe asks for a statement's or portal's shape. Nothing runs.
func (f *frontend) describe(frame wire.Frame) error {
	t, err := wire.ReadTarget(frame.Body())
	if err != nil {
		return err
	}
	if err := distinct(t.Name); err != nil {
		return f.refuse(refusalName, err)
	}
	s := &step{kind: stepDescribe}
	if t.Object == wire.ObjectStatement {
		if s.statement, err = resolve(f, &f.statements, f.pipeline.statements, t.Name); err != nil {
			return err
		}
	}
	return f.forward(s, frame.Raw)
}

// execute runs what its portal was admitted for.
func (f *frontend) execute(frame wire.Frame) error {
	e, err := wire.ReadExecute(frame.Body())
	if err != nil {
		return err
	}
	if err := distinct(e.Portal); err != nil {
		return f.refuse(refusalName, err)
	}
	bound, err := resolve(f, &f.portals, f.pipeline.portals, e.Portal)
	if err != nil {
		return err
	}
	if bound == nil {
		return f.refuse(refusalName, &fault{code: codeNoPortal, message: fmt.Sprintf("portal %q does not exist", e.Portal)})
	}
	if bound.reading != nil && bound.reading.Action.Kind == kindCommit {
		if err := f.awaitCommit(bound.operation); err != nil {
			return f.refuseCommit(bound, err)
		}
	}
	if err := f.executable(bound); err != nil {
		return f.refuse(refusalName, err)
	}
	s := &step{kind: stepExecute, portal: bound, operations: bound.operations(), readings: bound.readings(), formats: bound.formats(), copyIn: bound.copyIn(), makes: bound.made()}
	if bound.reading != nil {
		f.runs(bound.reading)
	}
	if err := f.shape(e.Portal, bound); err != nil {
		return err
	}
	// The frame may have moved while a COMMIT was held.
	if err := f.forward(s, f.client.reader.Held(0)); err != nil {
		return err
	}
	if bound.reading != nil && movesPortals(&bound.reading.Action) {
		f.portals.move(f.segment)
	}
	if s.copyIn && s.serial != 0 {
		return f.awaitCopy(s)
	}
	return nil
}

// executable makes what a portal prepares, and checks that what it executes by name is
// still what was admitted.
func (f *frontend) executable(bound *portal) error {
	if bound.runs != nil {
		now, err := f.named(bound.executes)
		if err == nil && now != bound.runs {
			err = &fault{code: codeNoStatement, message: fmt.Sprintf("prepared statement %q is another one now: bind again", bound.executes)}
		}
		if err != nil {
			return err
		}
	}
	if bound.reading == nil {
		return nil
	}
	var err error
	bound.makes, err = f.makes(bound.reading)
	return err
}

// refuseCommit refuses the Execute of a COMMIT.
func (f *frontend) refuseCommit(bound *portal, err error) error {
	f.pipeline.mu.Lock()
	ended := bound.ended
	bound.ended = true
	f.pipeline.mu.Unlock()
	if !ended {
		if err := f.session.Result(f.ctx, record.Result{Operation: bound.operation, Error: notRun}); err != nil {
			return err
		}
	}
	return f.refuse(refusalName, err)
}

func (f *frontend) close(frame wire.Frame) error {
	t, err := wire.ReadTarget(frame.Body())
	if err != nil {
		return err
	}
	if err := distinct(t.Name); err != nil {
		return f.refuse(refusalName, err)
	}
	if f.statements.full() || f.portals.full() {
		return f.refuse(refusalName, errTooManyNames)
	}
	if t.Object == wire.ObjectStatement {
		f.statements.set(t.Name, nil)
	} else {
		f.portals.set(t.Name, nil)
	}
	return f.forward(&step{kind: stepClose, object: t.Object, name: t.Name}, frame.Raw)
}

// refuse sends a Parse that must fail in place of a message that is refused, and
// ignores the rest of the segment, as the target then does.
func (f *frontend) refuse(name string, err error) error {
	report, err := refusal(err)
	if err != nil {
		return err
	}
	f.skipping = true
	s := &step{kind: stepParse, name: name, refusal: wire.AppendError(nil, report)}
	return f.forward(s, wire.AppendParse(nil, wire.Parse{Name: name, Text: mustFail}))
}

// refuseUndecided refuses a Bind, and with it the Parse that it would have decided.
func (f *frontend) refuseUndecided(err error) error {
	name := refusalName
	if f.undecided != nil {
		name = f.undecided.name
		f.undecided = nil
	}
	return f.refuse(name, err)
}

// errTooManyNames bounds what prepared statements and portals make the proxy keep.
var errTooManyNames = &fault{code: codeLimit, message: "too many prepared statements or portals for this proxy",
	hint: "Close some and sync, or end the transaction."}

// smallText always fits, so that a session that has prepared too much can still end
// its transaction, and drop statements.
const smallText = 1 << 10

func (f *frontend) fits(name string, size int64) error {
	p := f.pipeline
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case size > smallText && p.bytes+size > 2*f.limit, f.statements.full(),
		name != "" && p.statements[name] == nil && len(p.statements) >= maxNames:
		return errTooManyNames
	}
	return nil
}

func (f *frontend) fitsPortal(name string) error {
	p := f.pipeline
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.portals.full() || name != "" && p.portals[name] == nil && len(p.portals) >= maxNames {
		return errTooManyNames
	}
	return nil
}
