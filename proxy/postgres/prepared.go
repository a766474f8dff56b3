package postgres

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/session"
)

// The names of PREPARE and of the protocol's Parse are the same to PostgreSQL, and so
// they are here. An EXECUTE is judged as what its name stands for.

// expand is what a statement does, and the text of it: behind an EXECUTE, those of what
// was prepared. An error refuses it.
func (f *frontend) expand(s *sql.Statement, text string) (*sql.Statement, string, error) {
	if s.Action.Kind != kindExecute || s.Action.Unknown != "" {
		return s, text, nil
	}
	prepared, err := f.named(s.Node)
	if err != nil {
		return nil, "", err
	}
	inner, err := f.again(prepared)
	if err != nil {
		return nil, "", err
	}
	if inner == nil {
		return nil, "", noStatement(s.Node)
	}
	whole := *inner
	a, b := inner.Action, s.Action
	a.Statements, a.Position = b.Statements, b.Position
	a.Access, a.Columns = slices.Concat(a.Access, b.Access), slices.Concat(a.Columns, b.Columns)
	a.Functions, a.Calls = slices.Concat(a.Functions, b.Functions), slices.Concat(a.Calls, b.Calls)
	a.Sequences, a.Settings = slices.Concat(a.Sequences, b.Sequences), slices.Concat(a.Settings, b.Settings)
	if a.Opaque == "" {
		a.Opaque = b.Opaque
	}
	whole.Action = a
	whole.MovesPath, whole.MovesCatalog = inner.MovesPath || s.MovesPath, inner.MovesCatalog || s.MovesCatalog
	return &whole, fmt.Sprintf("%s\n-- %s is: %s", text, s.Node, prepared.text), nil
}

// named is the prepared statement of that name.
func (f *frontend) named(name string) (*statement, error) {
	if err := distinct(name); err != nil {
		return nil, err
	}
	prepared, err := resolve(f, &f.statements, f.pipeline.statements, name)
	if err == nil && prepared == nil {
		err = noStatement(name)
	}
	return prepared, err
}

func noStatement(name string) error {
	return &fault{code: codeNoStatement, message: fmt.Sprintf("prepared statement %q does not exist", name)}
}

// makes is the statement that a PREPARE is about to make; nil for others.
func (f *frontend) makes(s *sql.Statement) (*statement, error) {
	if s.Action.Kind != kindPrepare || s.Prepares == "" {
		return nil, nil
	}
	if err := distinct(s.Node); err != nil {
		return nil, err
	}
	if err := f.fits(s.Node, int64(len(s.Prepares))); err != nil {
		return nil, err
	}
	statements, err := f.read(s.Prepares)
	if err != nil {
		return nil, err
	}
	if len(statements) != 1 {
		return nil, &fault{code: codeNotSupported, message: "this PREPARE cannot be followed: use the protocol's prepared statements"}
	}
	made := &statement{text: s.Prepares, reading: &statements[0], epoch: f.view.epoch}
	made.types.Store(&[]uint32{})
	f.statements.set(s.Node, made)
	return made, nil
}

// explain turns the refusal of a text that PostgreSQL's parser does not read into what
// PostgreSQL itself says.
func explain(s *sql.Statement, err error) error {
	var refused *session.Refusal
	if s.SyntaxError == "" || !errors.As(err, &refused) || refused.Decision.Rule != policy.RuleUnderstood {
		return err
	}
	return &fault{code: codeSyntax, message: s.SyntaxError, position: s.Position}
}
