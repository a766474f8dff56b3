package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// tlsHandshake is the first byte of a TLS record that begins a handshake: no
// start-up message is so long that its length begins with it.
const tlsHandshake = 0x16

// maxOpenings is how many messages may come before the start-up message:
// GSSENCRequest, SSLRequest.
const maxOpenings = 3

// welcome speaks with a client up to its start-up message, and returns what it asks
// for. Nil is a client that wanted no session: a cancel request, or a probe.
func (e *Engine) welcome(ctx context.Context, c *client, s door) (*request, error) {
	raw := &opening{Conn: c.Conn, ctx: ctx, end: within(startupTimeout)}
	defer raw.settle()
	if err := raw.SetDeadline(raw.end); err != nil {
		return nil, err
	}
	c.Conn = raw
	first, err := raw.peek()
	if err != nil {
		return nil, errLeft
	}
	if first == tlsHandshake {
		if err := c.startTLS(raw, s.TLS()); err != nil {
			return nil, err
		}
		// RFC 7301 keeps another protocol's client from being led here.
		if c.tls.NegotiatedProtocol != alpn {
			return nil, &fault{code: codeProtocol, message: "direct TLS needs ALPN protocol " + alpn}
		}
	}
	for range maxOpenings {
		opening, err := wire.ReadOpening(c)
		switch {
		case errors.Is(err, io.EOF):
			return nil, errLeft
		case err != nil:
			return nil, err
		case opening.Cancel != nil:
			e.sessions.cancel(ctx, *opening.Cancel)
			return nil, nil
		case opening.Startup != nil:
			return e.agree(c, s, *opening.Startup)
		case opening.GSSENC, c.tls != nil:
			_, err = c.Write([]byte{'N'})
		default:
			if _, err = c.Write([]byte{'S'}); err == nil {
				err = c.startTLS(raw, s.TLS())
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, broken("too many requests before the start-up message")
}

// startTLS takes the client's handshake. Nothing has been read before it that is
// not used up: bytes sent in plaintext to be taken for the client's own are read by
// the handshake, which fails (CVE-2021-23214).
func (c *client) startTLS(raw net.Conn, config *tls.Config) error {
	config = config.Clone()
	config.NextProtos = []string{alpn}
	conn := tls.Server(raw, config)
	if err := conn.Handshake(); err != nil {
		// No message can follow a handshake that failed.
		c.torn.Store(true)
		return err
	}
	state := conn.ConnectionState()
	c.Conn, c.tls = conn, &state
	return nil
}

// agree settles version, options and parameters.
func (e *Engine) agree(c *client, s door, startup wire.Startup) (*request, error) {
	if c.tls == nil && !e.options.AllowPlaintext {
		return nil, &fault{code: codeAuthorization, message: "this proxy takes connections over TLS only, and this one has no encryption", hint: "Set sslmode=verify-full, or PGSSLMODE, and connect again."}
	}
	if startup.Version>>16 != 3 {
		return nil, &fault{code: codeNotSupported, message: "this proxy speaks versions 3.0 to 3.2 of the protocol"}
	}
	asked, err := readRequest(startup.Parameters, unrestricted(s.State()))
	if err != nil {
		return nil, err
	}
	c.version = min(startup.Version, wire.Version32)
	if c.version != startup.Version || len(asked.options) > 0 {
		answer := wire.NegotiateVersion{Minor: c.version & 0xffff, Options: asked.options}
		if err := c.write(wire.AppendNegotiateVersion(nil, answer)); err != nil {
			return nil, err
		}
	}
	return &asked, nil
}

// authenticate takes the key of the client's certificate if the request names it,
// else a token as password.
func (e *Engine) authenticate(ctx context.Context, c *client, s door) error {
	c.reader = wire.NewReader(c, fromUnknown)
	if c.tls != nil && len(c.tls.PeerCertificates) > 0 {
		if s.AuthenticateKey(ctx, c.tls.PeerCertificates[0].PublicKey) == nil {
			return nil
		}
		// psql sends ~/.postgresql/postgresql.crt to everybody: a token may follow.
	}
	if err := c.write(wire.AppendAuthenticationCleartext(nil)); err != nil {
		return err
	}
	frame, err := c.reader.Read()
	switch {
	case errors.Is(err, io.EOF):
		return errLeft
	case err != nil:
		return err
	}
	token, err := wire.ReadPassword(frame.Body())
	c.reader.Release()
	if err != nil {
		return err
	}
	return s.AuthenticateToken(ctx, grant.Secret(token))
}

// opening is a connection up to its start-up message: its first byte has been looked
// at, and a session that ends, or has ended before it began, leaves it time to get
// there. Only inside TLS does a client believe what it is told.
type opening struct {
	net.Conn
	ctx   context.Context
	first []byte
	// end of the phase, earlier once the session must end.
	end     time.Time
	ending  bool
	settled bool
}

// settle ends the phase: deadlines hold from now on.
func (r *opening) settle() { r.settled = true }

// patient sets the phase's own deadline in place of one that has passed, if there is
// time left.
func (r *opening) patient() bool {
	if r.ctx.Err() != nil && !r.ending {
		r.ending = true
		r.end = within(farewellTimeout - farewellTimeout/4)
	}
	return !r.settled && within(0).Before(r.end) && r.SetReadDeadline(r.end) == nil
}

func (r *opening) peek() (byte, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return 0, err
	}
	r.first = first[:]
	return first[0], nil
}

func (r *opening) Read(p []byte) (int, error) {
	if len(r.first) > 0 && len(p) > 0 {
		n := copy(p, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	for {
		n, err := r.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !r.patient() {
			return n, err
		}
	}
}
