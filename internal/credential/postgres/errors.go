package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/internal/credential"
)

// SQLSTATEs that we tell apart.
const (
	classAuthorization  = "28"
	noSuchDatabase      = "3D000"
	noPrivilege         = "42501"
	dependentObjects    = "2BP01"
	internalError       = "XX000"
	serializationFailed = "40001"
	deadlock            = "40P01"
)

// failure is an error of a target, fit for a condition: what the target said is
// bounded, in one line, without control characters, and without the secrets that
// went there.
type failure struct {
	doing string
	text  string
	// code is the SQLSTATE; empty when it was not the server that refused.
	code string
	// about is one of credential's errors, or of context's, or nil.
	about error
}

func (f *failure) Error() string { return f.doing + ": " + f.text }
func (f *failure) Unwrap() error { return f.about }

// ownAddress is our side of a connection in the net package's words. Its port is another
// each time, and an error that is the same should read the same.
var ownAddress = regexp.MustCompile(`[0-9a-fA-F.:\[\]]+:[0-9]+->`)

// scrub wraps err as a failure. It drops err itself: pgx's errors quote settings,
// and a hostile server may repeat what it was sent.
func scrub(target credential.Target, doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, already := errors.AsType[*failure](err); already {
		return err
	}
	f := &failure{doing: doing, text: err.Error()}
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		f.code = refusal.Code
		f.text = fmt.Sprintf("%s (SQLSTATE %s)", refusal.Message, refusal.Code)
		if refusal.Detail != "" {
			f.text += ": " + refusal.Detail
		}
	}
	for _, about := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, about) {
			f.about = about
		}
	}
	f.text = oneLine(ownAddress.ReplaceAllString(f.text, ""), 512)
	if target.Admin.Password != "" {
		f.text = strings.ReplaceAll(f.text, target.Admin.Password, "[secret]")
	}
	return f
}

// scrubConnect is scrub for a login, and says what it is about.
func scrubConnect(target credential.Target, database string, err error) error {
	wrapped := scrub(target, fmt.Sprintf("connect to database %s", quoteName(database)), err)
	f, ok := errors.AsType[*failure](wrapped)
	if !ok || errors.Is(f.about, context.Canceled) {
		return wrapped
	}
	switch {
	case strings.HasPrefix(f.code, classAuthorization), f.code == noSuchDatabase, f.code == noPrivilege:
		f.about = credential.ErrAdministrator
	default:
		f.about = credential.ErrUnreachable
	}
	return f
}

// code is the SQLSTATE of a failure, or empty.
func code(err error) string {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return ""
}

// transient says that the same transaction may succeed when tried again. Two
// transactions that change one object's privileges fail with "tuple concurrently
// updated", an internal error: ours take a lock, other administrators do not.
func transient(err error) bool {
	switch code(err) {
	case serializationFailed, deadlock:
		return true
	case internalError:
		return strings.Contains(err.Error(), "concurrently")
	}
	return false
}

// oneLine makes what a target said fit for a terminal and a condition.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// quoteName shows a name from a catalog, which may hold anything.
func quoteName(name string) string {
	return `"` + oneLine(name, 128) + `"`
}
