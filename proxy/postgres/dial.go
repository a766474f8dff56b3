package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/socket"
)

// dialTimeout bounds connection, TLS and authentication together.
const dialTimeout = 15 * time.Second

// Dialer opens sessions on targets with a task's credential. The zero value is
// ready for use.
type Dialer struct {
	// Net dials; a net.Dialer by default.
	Net func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout for a whole start-up; 15 seconds by default.
	Timeout time.Duration
}

// Dial opens a session with the grant's login. Attributes are start-up parameters
// of the client's; those that are not allowed are dropped. The connection is an
// *Upstream. Errors hold no secret.
func (d Dialer) Dial(ctx context.Context, g grant.Grant, attributes map[string]string) (net.Conn, error) {
	if g.Postgres == nil {
		return nil, errors.New("the grant names no PostgreSQL target")
	}
	to := *g.Postgres
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	secured, err := d.connect(ctx, to)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = secured.SetDeadline(past) })
	up, err := start(secured, to, attributes, isUnrestricted(g))
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = secured.Close()
		return nil, cause(ctx, err)
	}
	up.again = func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := d.bounded(ctx)
		defer cancel()
		return d.connect(ctx, to)
	}
	return up, nil
}

func (d Dialer) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := d.Timeout
	if timeout == 0 {
		timeout = dialTimeout
	}
	return context.WithTimeoutCause(ctx, timeout, errors.New("the target did not answer in time"))
}

// connect tries the addresses in order. There is no resolver: the manager has
// resolved and checked them.
func (d Dialer) connect(ctx context.Context, to grant.PostgresUpstream) (*secured, error) {
	dial := d.Net
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	failures := []error{errors.New("no address of the target can be reached")}
	for _, address := range to.Addresses {
		if net.ParseIP(address) == nil {
			return nil, fmt.Errorf("%q is not an IP address", address)
		}
		raw, err := dial(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(int(to.Port))))
		if err != nil {
			failures = append(failures, err)
			continue
		}
		conn, err := secure(ctx, socket.Wrap(raw), to)
		if err != nil {
			_ = raw.Close()
			return nil, cause(ctx, err)
		}
		return conn, nil
	}
	return nil, cause(ctx, errors.Join(failures...))
}

// start sends the start-up message, authenticates, and reads until the target is
// ready.
func start(conn *secured, to grant.PostgresUpstream, attributes map[string]string, unrestricted bool) (*Upstream, error) {
	parameters := map[string]string{}
	for name, value := range attributes {
		if settings[name] || unrestricted && !fixedSettings[name] {
			parameters[name] = value
		}
	}
	encoding, err := startupEncoding(parameters[parameterEncoding])
	if err != nil {
		return nil, err
	}
	parameters[parameterEncoding] = encoding
	parameters[parameterUser] = to.User
	parameters[parameterDatabase] = to.Database
	if !unrestricted {
		parameters[parameterSearchPath] = SearchPath
	}
	parameters[parameterStrings] = "on"

	startup := wire.Startup{Version: wire.Version32, Parameters: parameters}
	if _, err := conn.Write(wire.AppendStartup(nil, startup)); err != nil {
		return nil, err
	}
	up := &Upstream{Conn: conn.Conn, Version: startup.Version, reader: wire.NewReader(conn, fromStarting)}
	if err := up.authenticate(conn, to); err != nil {
		return nil, fmt.Errorf("authenticate to the target: %w", err)
	}
	if err := up.settle(); err != nil {
		return nil, fmt.Errorf("start a session on the target: %w", err)
	}
	up.reader.Release()
	return up, nil
}

// A server that is starting a session may say so much, and no more.
const (
	maxStartupMessages = 1000
	maxStartupBytes    = 256 << 10
)

// settle reads what the target says between AuthenticationOk and ReadyForQuery.
func (u *Upstream) settle() error {
	bytes := 0
	for range maxStartupMessages {
		frame, err := u.reader.Read()
		if err != nil {
			return err
		}
		if bytes += len(frame.Raw); bytes > maxStartupBytes {
			return broken("the target says too much before it is ready")
		}
		switch frame.Type {
		case wire.TypeParameterStatus:
			p, err := wire.ReadParameterStatus(frame.Body())
			if err == nil {
				err = checkStatus(p)
			}
			if err != nil {
				return err
			}
			u.Parameters = append(u.Parameters, p)
		case wire.TypeBackendKeyData:
			if u.key, err = wire.ReadBackendKey(frame.Body()); err != nil {
				return err
			}
		case wire.TypeReadyForQuery:
			u.Status, err = wire.ReadReadyForQuery(frame.Body())
			return err
		case wire.TypeErrorResponse:
			return targetError(frame.Body())
		case wire.TypeNoticeResponse:
		default:
			return broken("message %q before the target is ready", frame.Type)
		}
	}
	return broken("the target says too much before it is ready")
}

// targetError is what a target says against us.
func targetError(body []byte) error {
	report, err := wire.ReadReport(body)
	if err != nil {
		return err
	}
	if strings.HasPrefix(report.Code, classData) {
		return &fault{code: report.Code, message: "the target does not take a start-up parameter: " + report.Message,
			hint: "Connect with another value, or without it."}
	}
	return fmt.Errorf("it says: %s (SQLSTATE %s)", report.Message, report.Code)
}
