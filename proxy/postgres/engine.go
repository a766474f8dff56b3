package postgres

import (
	"context"
	"crypto"
	"crypto/tls"
	"net"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
)

// Options are what an Engine is wired with.
type Options struct {
	// Judge says what the clients' texts do.
	Judge Judge
	// AllowPlaintext takes clients without TLS, and their tokens: for a proxy on
	// loopback that is tried or measured.
	AllowPlaintext bool
	// MaxMessage is the largest message taken from either side, in bytes;
	// wire.DefaultMaxMessage by default.
	MaxMessage int64
	// Now is the clock; the machine's by default.
	Now func() time.Time
	Log logr.Logger
}

// Engine serves all PostgreSQL connections of a process: cancel requests come on
// connections of their own.
type Engine struct {
	options Options
	// fromClients and fromTarget are the limits of all sessions.
	fromClients, fromTarget *wire.Limits

	sessions registry
	catalogs catalogs
}

var _ session.Engine = (*Engine)(nil)

// The limits of all sessions before they are open: of clients that nobody knows yet, of
// targets that start a session, and of what they answer to queries of our own.
var (
	fromUnknown  = wire.PasswordLimits()
	fromStarting = wire.StartupLimits()
	fromAsked    = wire.BackendLimits(maxOwnBytes)
)

// New returns an engine without sessions.
func New(options Options) *Engine {
	if options.MaxMessage == 0 {
		options.MaxMessage = wire.DefaultMaxMessage
	}
	if options.Now == nil {
		options.Now = time.Now //nolint:forbidigo // who injects none has the machine's
	}
	return &Engine{
		options:     options,
		fromClients: wire.FrontendLimits(options.MaxMessage), fromTarget: wire.BackendLimits(options.MaxMessage),
		catalogs: catalogs{now: options.Now},
	}
}

// Protocol is "postgres".
func (e *Engine) Protocol() string { return "postgres" }

// Serve speaks with one client until it leaves or the context ends.
func (e *Engine) Serve(ctx context.Context, conn net.Conn, s *session.Session) error {
	return e.serve(ctx, conn, s)
}

// door is what the engine needs of a session.Session.
type door interface {
	State() grant.State
	TLS() *tls.Config
	AuthenticateKey(context.Context, crypto.PublicKey) error
	AuthenticateToken(context.Context, grant.Secret) error
	Begin(context.Context, map[string]string) error
	AwaitGrant(context.Context, func(string) error) error
	Dial(context.Context, map[string]string) (net.Conn, error)
	Admit(context.Context, session.Operation) (session.Admission, error)
	AwaitCommit(ctx context.Context, operation int64, rule, message string, held v1alpha1.HeldOperation, hold session.Hold) error
	Masks() *mask.Set
	Stream(context.Context, int64, []byte) error
	Output(context.Context, record.Output) error
	Result(context.Context, record.Result) error
}

const (
	// startupTimeout bounds everything up to authentication.
	startupTimeout = 15 * time.Second
	// farewellTimeout bounds telling a client why its session ends.
	farewellTimeout = 250 * time.Millisecond
)

func (e *Engine) serve(ctx context.Context, conn net.Conn, s door) error {
	c := &client{Conn: conn}
	asked, err := e.welcome(ctx, c, s)
	if farewell(err) != nil {
		e.options.Log.Info("A client did not come to a session", "remote", conn.RemoteAddr().String(), "reason", err.Error())
	}
	if err == nil && asked != nil {
		stop := context.AfterFunc(ctx, c.interrupt)
		err = e.session(ctx, c, s, asked)
		stop()
	}
	if reason := context.Cause(ctx); reason != nil {
		err = reason
	}
	last := farewell(err)
	c.farewell(last)
	if c.abandon != nil {
		c.abandon()
	}
	if last == nil {
		return nil
	}
	return err
}

// session is the life of one connection after its start-up message, up to the error
// that ends it.
func (e *Engine) session(ctx context.Context, c *client, s door, asked *request) error {
	if err := e.authenticate(ctx, c, s); err != nil {
		return err
	}
	attributes := map[string]string{
		parameterUser: asked.user, parameterDatabase: asked.database,
		parameterApplication: asked.settings[parameterApplication],
	}
	if err := s.Begin(ctx, attributes); err != nil {
		return err
	}
	c.unbound()
	key, err := newKey(c.version)
	if err != nil {
		return err
	}
	place, err := e.sessions.add(key)
	if err != nil {
		return err
	}
	defer place.leave()
	if err := c.send(wire.AppendBackendKey(wire.AppendAuthenticationOk(nil), key)); err != nil {
		return err
	}
	c.reader.SetLimits(e.fromClients)
	up, seen, err := e.reach(ctx, c, s, place, asked)
	if err != nil {
		return err
	}
	return e.relay(ctx, c, up, s, place, seen)
}

// reach waits for the grant and opens the session on the target. Meanwhile the
// client may leave, or cancel.
func (e *Engine) reach(ctx context.Context, c *client, s door, place *place, asked *request) (*Upstream, view, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	place.cancels(func(context.Context) error {
		cancel(&fault{code: codeCancelled, message: "cancelled while waiting"})
		return nil
	})
	defer c.watch(cancel)()

	tell := func(message string) error {
		return c.send(wire.AppendNotice(nil, wire.Report{Severity: "NOTICE", Code: "00000", Message: printable(message)}))
	}
	if err := s.AwaitGrant(ctx, tell); err != nil {
		return nil, view{}, cause(ctx, err)
	}
	state := s.State()
	if state.Grant == nil {
		return nil, view{}, cause(ctx, session.ErrNotGranted)
	}
	if granted := database(*state.Grant); asked.database != granted {
		return nil, view{}, &fault{code: codeNoDatabase, message: "the grant is not for database \"" + printable(asked.database) + "\"",
			hint: "Connect to database \"" + printable(granted) + "\"."}
	}
	asked.settings[parameterApplication] = applicationName(state.Task.ID, asked.settings[parameterApplication])
	conn, err := s.Dial(ctx, asked.settings)
	if err != nil {
		return nil, view{}, cause(ctx, unreachable(err))
	}
	up, ok := conn.(*Upstream)
	if !ok {
		return nil, view{}, &fault{code: codeConnectionFailure, message: "the way to the target speaks another protocol"}
	}
	seen, err := e.open(ctx, up, s, state)
	if err != nil {
		return nil, view{}, cause(ctx, unreachable(err))
	}
	seen.asked = asked.settings[parameterSearchPath]
	return up, seen, nil
}

// database is the one that a grant is for.
func database(g grant.Grant) string {
	switch {
	case g.Postgres != nil:
		return g.Postgres.Database
	case g.Policy.Grant.Postgres != nil:
		return g.Policy.Grant.Postgres.Database
	}
	return ""
}

// unreachable is a target that no session could be opened on.
func unreachable(err error) error {
	if f := farewell(err); f != nil && f.code != codeShutdown {
		return err
	}
	return &fault{code: codeConnectionFailure, message: err.Error(), hint: "The task is granted; the target does not answer as it should. Try again, or ask whoever runs it."}
}
