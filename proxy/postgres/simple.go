package postgres

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
)

// maxRepeated is the largest text that is recorded anew for each of its statements; of a
// larger one each has its own part.
const maxRepeated = 4 << 10

// query judges every statement of a simple query; one that is refused refuses the
// message.
func (f *frontend) query(frame wire.Frame) error {
	q, err := wire.ReadQuery(frame.Body())
	if err != nil {
		return err
	}
	statements, err := f.read(q.Text)
	if err != nil {
		return f.refuseQuery(&step{kind: stepQuery}, err)
	}
	if len(statements) == 0 {
		// Nothing but comments, if that: none of it need reach the target.
		return f.forwardQuery(&step{kind: stepQuery}, wire.AppendQuery(nil, ""))
	}
	s, moves := newQuery(), false
	f.gate.mixed = mixes(statements)
	for i := range statements {
		if err := f.judgeOne(s, statements, i, q.Text); err != nil {
			return f.refuseQuery(s, err)
		}
		moves = moves || movesPortals(&s.readings[i].Action)
		if len(statements) > 1 {
			f.runs(s.readings[i])
		}
	}
	if moves {
		f.portals.move(f.segment)
	}
	if len(statements) == 1 {
		if s.readings[0].Action.Kind == kindCommit {
			if err := f.awaitCommit(s.operations[0]); err != nil {
				return f.refuseQuery(s, err)
			}
		}
		f.runs(s.readings[0])
	}
	// The frame may have moved while it was held.
	return f.forwardQuery(s, f.client.reader.Held(0))
}

// judgeOne admits one statement of a simple query as the step's next operation.
func (f *frontend) judgeOne(s *step, statements []sql.Statement, i int, text string) error {
	shown := text
	if one := &statements[i]; i > 0 && len(text) > maxRepeated && one.Begin < one.End && one.End <= len(text) {
		shown = text[one.Begin:one.End]
	}
	reading, shown, err := f.expand(&statements[i], shown)
	if err != nil {
		return err
	}
	admission, err := f.admit(reading, session.Operation{Text: shown})
	if err != nil {
		return err
	}
	s.operations, s.readings = append(s.operations, admission.Operation), append(s.readings, reading)
	format, err := f.copyFormat(reading, text)
	if err != nil {
		return err
	}
	s.formats = append(s.formats, format)
	s.copyIn = s.copyIn || reading.Action.Kind == kindCopyIn
	made, err := f.makes(reading)
	if made != nil {
		s.makes = append(append(s.makes, make([]*statement, i-len(s.makes))...), made)
	}
	return err
}

func (f *frontend) forwardQuery(s *step, message []byte) error {
	if err := f.forward(s, message); err != nil {
		return err
	}
	if s.serial == 0 {
		return nil
	}
	f.statements.set("", nil)
	if err := f.endSegment(); err != nil {
		return err
	}
	if s.copyIn {
		return f.awaitCopy(s)
	}
	return nil
}

// refuseQuery sends a query that must fail in place of one that is refused.
func (f *frontend) refuseQuery(s *step, err error) error {
	report, err := refusal(err)
	if err != nil {
		return err
	}
	s.refusal, s.copyIn = wire.AppendError(nil, report), false
	return f.forwardQuery(s, wire.AppendQuery(nil, mustFail))
}

// functionCall refuses what runs a function by its OID: no text says what it does.
func (f *frontend) functionCall() error {
	action := policy.Action{Protocol: "postgres", Kind: "function call", Statements: 1,
		Unknown: "the FunctionCall message: call the function in a SELECT"}
	_, err := f.session.Admit(f.ctx, session.Operation{Action: action})
	if err == nil {
		return errors.New("a function call was admitted that cannot be judged")
	}
	return f.refuseQuery(&step{kind: stepQuery}, err)
}

// read says what a text does. The judge reads UTF-8; what the target would read
// otherwise is not known to it.
func (f *frontend) read(text string) ([]sql.Statement, error) {
	unknown := ""
	if !f.utf8.Load() && !ascii(text) {
		unknown = "text beyond ASCII in another client_encoding than UTF8: use UTF8"
	} else if !utf8.ValidString(text) {
		unknown = "text that is not valid UTF-8"
	}
	if unknown != "" {
		return []sql.Statement{{Action: policy.Action{Protocol: "postgres", Statements: 1, Unknown: unknown}}}, nil
	}
	statements := f.judge.Read(text, f.view.Session)
	if len(statements) == 0 || sets(statements[0].Action.Kind) || controls(statements[0].Action.Kind) {
		// What sets a transaction up must come before any query, ours too.
		return f.guarded(statements), nil
	}
	epoch := f.view.epoch
	known, err := f.follow()
	if err != nil {
		return nil, err
	}
	if epoch != f.view.epoch {
		statements = f.judge.Read(text, f.view.Session)
	}
	if known && f.view.outdated(statements) {
		f.view.movedCatalog = true
		if known, err = f.follow(); err != nil {
			return nil, err
		}
		statements = f.judge.Read(text, f.view.Session)
	}
	if !known {
		statements = slices.Clone(statements)
		for i := range statements {
			statements[i].Action.Unknown = "a statement behind one that changes schema or search_path: wait for the answer to that first (Sync)"
		}
	}
	return f.guarded(statements), nil
}

// guarded refuses PREPARE, whatever the judge says: it would change what the name of a
// statement stands for, unseen by us. It refuses, too, what stands in one message
// behind a statement that changes what it means.
func (f *frontend) guarded(statements []sql.Statement) []sql.Statement {
	moved := false
	for i := range statements {
		if kind := statements[i].Action.Kind; moved && f.view.followed && !sets(kind) && !controls(kind) && statements[i].Action.Unknown == "" {
			statements = slices.Clone(statements)
			statements[i].Action.Unknown = "a statement behind one that changes schema or search_path: send it in a message of its own"
		}
		moved = moved || statements[i].MovesPath || statements[i].MovesCatalog
		prepares := f.view.Unrestricted && statements[i].Prepares != ""
		if statements[i].Action.Kind == kindPrepare && !prepares && statements[i].Action.Unknown == "" {
			statements = slices.Clone(statements)
			statements[i].Action.Unknown = "PREPARE: use the protocol's prepared statements"
		}
	}
	return statements
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mustFail is no SQL in any version or state: the grammar itself refuses it, in a
// failed transaction too. It shows in the target's log.
const mustFail = "! refused by sallyport"

// refusalName is the prepared statement that such a Parse would make, so that it
// leaves the unnamed one alone.
const refusalName = "sallyport_refused"

// refusal is what a client is told of an operation that is refused; any other error
// ends the session.
func refusal(err error) (wire.Report, error) {
	var refused *session.Refusal
	var known *fault
	switch {
	case errors.Is(err, session.ErrWithdrawn):
		return wire.Report{Severity: "ERROR", Code: codeCancelled, Message: "canceling statement due to user request",
			Detail: "It was held for review; nothing of it has reached the target."}, nil
	case errors.Is(err, errSkipped):
		return wire.Report{Severity: "ERROR", Code: codeFailedTransaction, Message: err.Error()}, nil
	case errors.As(err, &refused):
		return wire.Report{Severity: "ERROR", Code: codeNotAllowed,
			Message: fmt.Sprintf("refused by policy %q, rule %q: %s", refused.Decision.Policy, refused.Decision.Rule, refused.Decision.Message),
			Detail:  "Nothing of this message has reached the target.",
			Hint:    fmt.Sprintf("See what request %q may do: kubectl access show %s", refused.Request, refused.Request)}, nil
	case errors.As(err, &known):
		return known.report("ERROR"), nil
	}
	return wire.Report{}, err
}
