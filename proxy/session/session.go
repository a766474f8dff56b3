package session

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"net"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// Session is one client's connection. An engine calls, in this order: TLS,
// AuthenticateKey or AuthenticateToken, Begin, AwaitGrant, Dial; then, for each
// operation, Admit, Stream while data flows, and Result.
type Session struct{}

// Operation is what Admit is asked: the words that policies judge, and the text
// and values as the client sent them, for the recording.
type Operation struct {
	Action policy.Action
	Text   string
	Values []string
}

// Refusal is an operation refused by policy: nothing of it has reached the
// target, and the session stays usable. Any other error of Admit ends the session.
type Refusal struct {
	Decision policy.Decision
	// Request is the name of the request, for the hint.
	Request string
}

// Error says which policy and rule refused, and why.
func (r *Refusal) Error() string {
	return "refused by policy " + r.Decision.Policy + ", rule " + r.Decision.Rule + ": " + r.Decision.Message
}

// ErrNotRequester is a client who is not the requester of this task.
var ErrNotRequester = errors.New("this proxy serves another person's task")

// ErrEnded is a task that is over.
var ErrEnded = errors.New("the task is over")

// ID is the session's identifier: it names the recording.
func (s *Session) ID() string { panic("s") }

// State is the newest state of the task.
func (s *Session) State() grant.State { panic("s") }

// TLS is the server's side of TLS with this task's certificate; it asks for a
// client certificate and accepts any: AuthenticateKey judges the key.
func (s *Session) TLS() *tls.Config { panic("s") }

// AuthenticateKey takes a client that has proved possession of key, if the
// request names that key.
func (s *Session) AuthenticateKey(ctx context.Context, key crypto.PublicKey) error { panic("s") }

// AuthenticateToken asks the manager whose token it is; only the requester's,
// for this very request, is taken. Callers have checked that TLS is on.
func (s *Session) AuthenticateToken(ctx context.Context, token grant.Secret) error { panic("s") }

// Begin opens the recording. It fails for a client who has not authenticated, and
// when the task has as many sessions as its policy allows.
func (s *Session) Begin(ctx context.Context, attributes map[string]string) error { panic("s") }

// AwaitGrant returns when the task is granted. While it waits it calls tell with
// what it waits for: at once, when that changes, and every half minute; an error of
// tell ends the wait (the client left). ErrEnded when the task ends first.
func (s *Session) AwaitGrant(ctx context.Context, tell func(message string) error) error { panic("s") }

// Dial returns the target, already authenticated with the task's credential. The
// concrete type is the protocol's own (proxy/postgres.Upstream), made by the
// dialer that cmd wired in.
func (s *Session) Dial(ctx context.Context, attributes map[string]string) (net.Conn, error) {
	panic("s")
}

// Admit is the one door: it records the operation, decides, records the verdict,
// and returns the operation's number. Only with a nil error may anything of it reach
// the target. A *Refusal leaves the session usable; any other error ends it.
func (s *Session) Admit(ctx context.Context, op Operation) (int64, error) { panic("s") }

// Stream records a chunk that is about to be forwarded as part of an operation.
func (s *Session) Stream(ctx context.Context, operation int64, chunk []byte) error { panic("s") }

// Result records what the target answered to an operation.
func (s *Session) Result(ctx context.Context, result record.Result) error { panic("s") }

// Notice records something that the proxy told the client.
func (s *Session) Notice(ctx context.Context, message string) error { panic("s") }
