package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/conformance"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func TestTheEngineObeysTheLawsInTheSimpleProtocol(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(t testing.TB) conformance.Driver { return newDriver(t, false) })
}

func TestTheEngineObeysTheLawsInTheExtendedProtocol(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(t testing.TB) conformance.Driver { return newDriver(t, true) })
}

// driver makes texts that no other driver makes, so that the target's log tells
// whether they reached it.
type driver struct {
	engine   *Engine
	extended bool
	mark     string
}

var drivers atomic.Int64

func newDriver(t testing.TB, extended bool) *driver {
	needTarget(t)
	return &driver{
		engine:   New(Options{Judge: judge.New(1 << 20), Log: logr.Discard()}),
		extended: extended, mark: fmt.Sprintf("law%d", drivers.Add(1)),
	}
}

func (d *driver) Engine() session.Engine            { return d.engine }
func (d *driver) Policy() v1alpha1.AccessPolicySpec { return ordersPolicy() }
func (d *driver) Reached(text string) bool          { return reached(text) }

func (d *driver) Operations() conformance.Operations {
	return conformance.Operations{
		Allowed:       "SELECT count(*) AS " + d.mark + " FROM orders",
		AllowedToo:    "SELECT max(id) AS " + d.mark + " FROM orders",
		Refused:       "SELECT count(*) AS " + d.mark + " FROM salaries",
		NotUnderstood: "FROBNICATE " + d.mark,
	}
}

func (d *driver) Dial(ctx context.Context, g grant.Grant, attributes map[string]string) (net.Conn, error) {
	up := upstream("by_scram")
	g.Postgres = &up
	return Dialer{}.Dial(ctx, g, attributes)
}

func (d *driver) Connect(_ testing.TB, conn net.Conn, key sessiontest.Key) (conformance.Client, error) {
	config, err := pgconn.ParseConfig("host=127.0.0.1 user=anyone dbname=orders sslmode=require")
	if err != nil {
		return nil, err
	}
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{key.Certificate}}
	config.Fallbacks = nil
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	c, err := pgconn.ConnectConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return &pgClient{c, d.extended, conn}, nil
}

type pgClient struct {
	conn     *pgconn.PgConn
	extended bool
	network  net.Conn
}

// Cancel is a CancelRequest on a connection of its own.
func (c *pgClient) Cancel() error {
	conn, err := net.Dial("tcp", c.network.RemoteAddr().String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Write(wire.AppendCancelRequest(nil, wire.BackendKey{ProcessID: c.conn.PID(), Secret: c.conn.SecretKey()}))
	if err == nil {
		_, err = io.Copy(io.Discard, conn)
	}
	return err
}

func (c *pgClient) Do(text string) error {
	if c.extended {
		return c.conn.ExecParams(context.Background(), text, nil, nil, nil, nil).Read().Err
	}
	_, err := c.conn.Exec(context.Background(), text).ReadAll()
	return err
}

func (c *pgClient) Closed() error {
	for {
		message, err := c.conn.ReceiveMessage(context.Background())
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || c.conn.IsClosed() {
				return nil
			}
			return err
		}
		_ = message
	}
}

// Close leaves without a word, also while Do runs.
func (c *pgClient) Close() error { return c.network.Close() }
