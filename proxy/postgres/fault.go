package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
)

// SQLSTATEs that we speak.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	codeConnectionFailure = "08006"
	codeProtocol          = "08P01"
	codeNotSupported      = "0A000"
	codeInvalidParameter  = "22023"
	codeAuthorization     = "28000"
	codePassword          = "28P01"
	codeNoTransaction     = "25P01"
	codeFailedTransaction = "25P02"
	codeNoStatement       = "26000"
	codeNoPortal          = "34000"
	codeNoDatabase        = "3D000"
	codeSyntax            = "42601"
	codeName              = "42622"
	codeNotAllowed        = "42501"
	codeTooManySessions   = "53300"
	codeLimit             = "54000"
	codeCancelled         = "57014"
	codeShutdown          = "57P01"
)

// classData begins the SQLSTATEs of values that do not fit.
const classData = "22"

// fault is an end of the session in PostgreSQL's own terms, fit to be told to the
// client.
type fault struct {
	code, message, hint string
	// position in the statement's text, in characters from 1; 0 is none.
	position int
}

func (f *fault) Error() string { return f.message }

// report is the ErrorResponse.
func (f *fault) report(severity string) wire.Report {
	return wire.Report{Severity: severity, Code: f.code, Message: f.message, Hint: f.hint, Position: f.position}
}

var (
	// errLeft is a client that has gone; nobody is there to be told.
	errLeft = errors.New("the client left")
	// errTold is an end that the target has told the client itself.
	errTold = errors.New("the target ended the session")
)

// farewell is what a client is told of the error that ends its session; nil for
// one that is gone or knows already.
func farewell(err error) *fault {
	var known *fault
	switch {
	case err == nil, errors.Is(err, errLeft), errors.Is(err, errTold):
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, wire.ErrTooLarge):
		return &fault{code: codeLimit, message: err.Error(), hint: "Send less at once: COPY takes any amount in pieces."}
	case errors.Is(err, wire.ErrMalformed):
		return &fault{code: codeProtocol, message: err.Error()}
	case errors.Is(err, session.ErrTooManySessions):
		return &fault{code: codeTooManySessions, message: err.Error()}
	case errors.Is(err, session.ErrNotRequester), errors.Is(err, session.ErrTooManyAttempts):
		return &fault{code: codeAuthorization, message: err.Error()}
	case errors.Is(err, session.ErrNotAuthenticated):
		return &fault{code: codePassword, message: err.Error()}
	}
	return &fault{code: codeShutdown, message: "the session ends: " + err.Error()}
}

// cause prefers the reason why the session must end to what came of it.
func cause(ctx context.Context, err error) error {
	if reason := context.Cause(ctx); reason != nil {
		return reason
	}
	return err
}

// broken is a peer that does what the protocol does not allow here.
func broken(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{wire.ErrMalformed}, args...)...)
}
