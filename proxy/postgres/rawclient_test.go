package postgres

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// raw speaks the protocol message by message.
type raw struct {
	*pgproto3.Frontend
	t    testing.TB
	conn net.Conn
	key  *pgproto3.BackendKeyData
}

// startup sends a start-up message of any version and parameters.
func startup(version uint32, parameters ...string) []byte {
	body := binary.BigEndian.AppendUint32(nil, version)
	for _, p := range parameters {
		body = append(append(body, p...), 0)
	}
	body = append(body, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

// open starts a session over direct TLS.
func (p *proxy) open(t testing.TB, version uint32, parameters ...string) *raw {
	t.Helper()
	conn := p.raw(t, alpn)
	if _, err := conn.Write(startup(version, append([]string{"user", "anyone", "database", "orders"}, parameters...)...)); err != nil {
		t.Fatal(err)
	}
	return &raw{Frontend: pgproto3.NewFrontend(conn, conn), t: t, conn: conn}
}

// ready is an open session that has come to its first ReadyForQuery.
func (p *proxy) ready(t testing.TB) *raw {
	t.Helper()
	r := p.open(t, wire.Version30)
	r.untilReady()
	return r
}

func (r *raw) write(messages ...pgproto3.FrontendMessage) {
	r.t.Helper()
	for _, m := range messages {
		r.Send(m)
	}
	if err := r.Flush(); err != nil {
		r.t.Fatal(err)
	}
}

// next is the next message as text: its type and what tells it apart.
func (r *raw) next() string {
	r.t.Helper()
	m, err := r.Receive()
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return "EOF"
		}
		r.t.Fatal(err)
	}
	switch m := m.(type) {
	case *pgproto3.ErrorResponse:
		return m.Severity + " " + m.Code
	case *pgproto3.ReadyForQuery:
		return "ready " + string(m.TxStatus)
	case *pgproto3.CommandComplete:
		return string(m.CommandTag)
	case *pgproto3.ParseComplete:
		return "parsed"
	case *pgproto3.BindComplete:
		return "bound"
	case *pgproto3.CloseComplete:
		return "closed"
	case *pgproto3.PortalSuspended:
		return "suspended"
	case *pgproto3.DataRow:
		return "row " + string(m.Values[0])
	case *pgproto3.NoData:
		return "no data"
	case *pgproto3.RowDescription:
		return "columns"
	case *pgproto3.ParameterDescription:
		return "parameters"
	case *pgproto3.EmptyQueryResponse:
		return "empty"
	case *pgproto3.CopyInResponse:
		return "copy in"
	case *pgproto3.NegotiateProtocolVersion:
		return "negotiate"
	case *pgproto3.BackendKeyData:
		r.key = &pgproto3.BackendKeyData{ProcessID: m.ProcessID, SecretKey: append([]byte(nil), m.SecretKey...)}
		return "key"
	case *pgproto3.ParameterStatus:
		return "parameter"
	case *pgproto3.NoticeResponse:
		return "notice"
	}
	return "other"
}

// until collects messages up to one that ends the wait.
func (r *raw) until(last string) []string {
	r.t.Helper()
	var seen []string
	for range 5000 {
		m := r.next()
		if m == "parameter" || m == "other" {
			continue
		}
		seen = append(seen, m)
		if m == last || m == "EOF" {
			return seen
		}
	}
	r.t.Fatalf("no %q in %v", last, seen)
	return nil
}

// untilReady collects messages up to ReadyForQuery, whatever its status.
func (r *raw) untilReady() []string {
	r.t.Helper()
	var seen []string
	for {
		m := r.next()
		switch m {
		case "parameter", "other":
			continue
		case "ready I", "ready T", "ready E", "EOF":
			return append(seen, m)
		}
		seen = append(seen, m)
	}
}
