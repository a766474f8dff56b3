package canary

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// patience bounds what must happen by itself.
const patience = 30 * time.Second

// client speaks the protocol message by message; what it reads is searched.
type client struct {
	*pgproto3.Frontend
	conn    net.Conn
	matcher *matcher
	found   func(form string, around []byte)
	in      *stream
	// keep says that answers hold what came.
	keep bool
	rand *rand.Rand
}

// answer is what came back of some messages.
type answer struct {
	rows, cells, copied int
	// errors are SQLSTATE and message, fatal the last words.
	errors []string
	fatal  string
	// said is every message in words, and values those of all rows, where kept.
	said   []string
	values [][][]byte
	copies []byte
}

// searched searches what is read.
type searched struct {
	net.Conn
	stream
}

func (s *searched) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	_, _ = s.stream.Write(b[:n])
	return n, err
}

// Write sends.
func (s *searched) Write(b []byte) (int, error) { return s.Conn.Write(b) }

// dial opens a session.
func (d *door) dial(t testing.TB, found func(form string, around []byte), settings ...string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{conn: conn, matcher: d.matcher, found: found, rand: rand.New(rand.NewPCG(1, 1))}
	s := &searched{Conn: conn, stream: stream{matcher: d.matcher, found: func(form string, around []byte) { c.found(form, around) }}}
	c.in = &s.stream
	c.Frontend = pgproto3.NewFrontend(s, s)
	parameters := map[string]string{"user": "anyone", "database": d.name}
	for i := 0; i+1 < len(settings); i += 2 {
		parameters[settings[i]] = settings[i+1]
	}
	c.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: parameters})
	c.Send(&pgproto3.PasswordMessage{Password: sessiontest.Token.Reveal()})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if a := c.read(1); a.fatal != "" {
		t.Fatalf("no session: %s", a.fatal)
	}
	if a := c.query("SET statement_timeout = '5s'"); len(a.errors) > 0 {
		t.Fatal(a.errors)
	}
	return c
}

func (c *client) close() { _ = c.conn.Close() }

// query runs a text by the simple protocol.
func (c *client) query(text string) answer {
	c.Send(&pgproto3.Query{String: text})
	return c.exchange(1)
}

// exchange sends what is queued, and reads up to the n-th ReadyForQuery.
func (c *client) exchange(n int) answer {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{fatal: err.Error()}
	}
	// What came before is another statement's.
	c.in.tail = c.in.tail[:0]
	if err := c.Flush(); err != nil {
		return answer{fatal: err.Error()}
	}
	return c.read(n)
}

func (c *client) read(n int) (a answer) {
	for n > 0 {
		m, err := c.Receive()
		if err != nil {
			if a.fatal == "" {
				a.fatal = err.Error()
			}
			return a
		}
		switch m := m.(type) {
		case *pgproto3.ReadyForQuery:
			n--
			a.say(c, "ready %c", m.TxStatus)
		case *pgproto3.ErrorResponse:
			a.errors = append(a.errors, m.Code+" "+m.Message)
			if m.Severity == "FATAL" {
				a.fatal = m.Code + " " + m.Message
			}
			a.say(c, "%s %s %s/%s/%s/%s %s.%s.%s %s", m.Severity, m.Code, m.Message, m.Detail, m.Hint, m.Where, m.SchemaName, m.TableName, m.ColumnName, m.ConstraintName)
		case *pgproto3.NoticeResponse:
			a.say(c, "notice %s %s/%s/%s/%s", m.Code, m.Message, m.Detail, m.Hint, m.Where)
		case *pgproto3.NotificationResponse:
			a.say(c, "notification %s %s", m.Channel, m.Payload)
		case *pgproto3.DataRow:
			a.rows++
			a.cells += len(m.Values)
			c.cells(m.Values)
			a.keepRow(c, m.Values)
		case *pgproto3.CopyData:
			a.copied++
			if c.keep {
				a.copies = append(a.copies, m.Data...)
			}
		case *pgproto3.CopyInResponse:
			c.copyIn()
		case *pgproto3.CommandComplete:
			a.say(c, "%s", m.CommandTag)
		default:
			if c.keep {
				a.say(c, "%T", m)
			}
		}
	}
	return a
}

func (a *answer) say(c *client, format string, args ...any) {
	if c.keep {
		a.said = append(a.said, fmt.Sprintf(format, args...))
	}
}

func (a *answer) keepRow(c *client, values [][]byte) {
	if !c.keep {
		return
	}
	row := make([][]byte, len(values))
	for i, v := range values {
		if v != nil {
			row[i] = append([]byte{}, v...)
		}
	}
	a.values = append(a.values, row)
	a.say(c, "row %q", row)
}

// cells looks for values too short to be told from others in a stream.
func (c *client) cells(values [][]byte) {
	for _, value := range values {
		if len(value) == 4 {
			if form, ok := c.matcher.cells[string(value)]; ok {
				c.found(form, value)
			}
		}
	}
}

// copyIn sends two lines that fit few tables.
func (c *client) copyIn() {
	c.Send(&pgproto3.CopyData{Data: []byte("901\tcopied 901\n902\n")})
	c.Send(&pgproto3.CopyDone{})
	_ = c.Flush()
}
