package ssh

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/proxy/session"
)

// Options are what an Engine is wired with.
type Options struct {
	Log logr.Logger
	// Now is the clock; the machine's by default.
	Now func() time.Time
	// RekeyThreshold is after how many bytes keys are exchanged anew; by default what the
	// cipher allows.
	RekeyThreshold uint64
}

// Engine serves SSH connections.
type Engine struct{ options Options }

var _ session.Engine = (*Engine)(nil)

// New returns an engine.
func New(options Options) *Engine {
	if options.Now == nil {
		options.Now = time.Now //nolint:forbidigo // who injects none has the machine's
	}
	return &Engine{options: options}
}

// Protocol is "ssh".
func (e *Engine) Protocol() string { return protocol }

const protocol = "ssh"

// farewellTimeout bounds telling a client why its session ends.
const farewellTimeout = 200 * time.Millisecond

var (
	// errLeft is a client that closed its connection.
	errLeft = errors.New("the client left")
	// errLost is a target that closed its connection.
	errLost = errors.New("the connection to the target was lost")
)

// Serve speaks with one client until it leaves or the context ends.
func (e *Engine) Serve(ctx context.Context, conn net.Conn, s *session.Session) error {
	present, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	leg := &clientLeg{Conn: conn, left: leave, over: make(chan struct{})}
	defer leg.finish()
	arrived, err := e.welcome(present, leg, s)
	if err != nil {
		e.options.Log.Info("A client did not come to a session", "remote", conn.RemoteAddr().String(), "reason", err.Error())
	} else {
		err = e.relay(present, leg, s, arrived)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, errLeft) {
		return nil
	}
	return err
}
