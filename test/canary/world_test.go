package canary

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/proxy/postgres"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

const password = "the own password of the task"

// world is a server with databases full of canaries.
type world struct {
	server  *pgtest.Server
	version int
}

func newWorld(t testing.TB, version int) *world {
	t.Helper()
	w := &world{pgtest.Start(t, pgtest.Options{Version: version, Conf: []string{"autovacuum = off", "max_connections = 40", "jit = off"}}), version}
	w.server.Exec(t, "postgres", "CREATE ROLE app LOGIN PASSWORD '"+password+"'")
	return w
}

// database makes one, with canaries of its own.
func (w *world) database(t testing.TB, name string, seed uint64, shift int) *database {
	t.Helper()
	schema, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	w.server.Exec(t, "postgres", "CREATE DATABASE "+name+" OWNER app")
	w.server.Exec(t, name, "GRANT ALL ON SCHEMA public TO app; SET ROLE app; "+string(schema))
	d := &database{world: w, name: name, matcher: newMatcher(), shift: shift}
	d.make(rand.New(rand.NewPCG(seed, 7)))
	d.fill(t)
	return d
}

// database is one schema full of canaries, and what finds them.
type database struct {
	*world
	name    string
	matcher *matcher
	inserts string
	// shift tells which rows have the longer words.
	shift int
}

const (
	people = 40
	// alphabet has no digit, of hashes neither: those would hit a piece of eight some day.
	alphabet = "ghijklmnopqrstuvwxyz"
)

// make the rows, and the forms of what is in them.
func (d *database) make(r *rand.Rand) {
	row := 0
	word := func(column string, n int) string {
		b := make([]byte, n+(row+d.shift)%5)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		d.matcher.text(column, string(b))
		return string(b)
	}
	digits := func(column string) string {
		n := 7777000000000 + r.Int64N(1000000000)
		d.matcher.add(column, fmt.Append(nil, n), 13)
		d.matcher.add(column+" in hex", fmt.Appendf(nil, "%x", n), 11)
		d.matcher.encoded(column+" as int8", be64(uint64(n)))
		var numeric []byte
		for _, group := range []int64{n / 1e12, n / 1e8 % 1e4, n / 1e4 % 1e4, n % 1e4} {
			numeric = append(numeric, byte(group>>8), byte(group))
		}
		d.matcher.add(column+" as numeric", numeric, gram)
		return fmt.Sprint(n)
	}
	bytes := func(column string, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(128 + r.IntN(128))
		}
		d.matcher.encoded(column, b)
		return b
	}
	ordinary := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	var b strings.Builder
	for i := 1; i <= people+5; i++ {
		row = i
		table, more, value := "person", "", ""
		if i > people {
			table, more, value = "person_old", ", reason", ", 'gone'"
		}
		uuid, address := bytes("token", 16), bytes("ip", 16)
		hex := fmt.Sprintf("%x-%x-%x-%x-%x", uuid[:4], uuid[4:6], uuid[6:8], uuid[8:10], uuid[10:])
		d.matcher.add("token", []byte(hex), 12)
		ip := fmt.Sprintf("%x:%x:%x:%x:%x:%x:%x:%x", address[:2], address[2:4], address[4:6], address[6:8], address[8:10], address[10:12], address[12:14], address[14:])
		d.matcher.add("ip", []byte(ip), 12)
		pin := 1777000000 + r.IntN(1000000)
		d.matcher.add("pin", fmt.Append(nil, pin), 10)
		d.matcher.cells[string(be64(uint64(pin))[4:])] = "pin as int4"
		ratio := float64(7777000000000+r.Int64N(1000000000)) + 0.5
		d.matcher.add("ratio", fmt.Appendf(nil, "%.1f", ratio), 13)
		fmt.Fprintf(&b, `INSERT INTO %s (id, name, grp, region, city, email, phone, code, card, balance, pin, ratio, token, born, seen,
			profile, notes, tags, cards, raw, ip, doc, word, home, span, big%s)
			VALUES (%d, 'name-%d', %d, 'region-%d', %d, %s, %s, '%s', %s, %s, %d, %.1f, '%s', '4711-05-17', '4712-06-18 12:34:56.789',
			'{"secret": "%s", "n": %s, "k": {"deep": ["%s"]}}', '{"secret":"%s"}', ARRAY['%s','%s, "q" %s'], ARRAY[%s,%s]::bigint[], '\x%x', '%s', '<a b="%s">%s</a>', '%s',
			ROW('%s, %s', %s), '[%s,7779000000000)', repeat('%s', 150)%s);`+"\n",
			table, more, i, i, i, i%5, i%8+1, ordinary(word("email", 16)+"@"+word("email", 12)), ordinary(word("phone", 10)+` ',"\\ `+word("phone", 12)), word("code", 20),
			digits("card"), digits("balance"), pin, ratio, hex,
			word("profile", 20), digits("profile"), word("profile", 16), word("notes", 20), word("tags", 16), word("tags", 10), word("tags", 12), digits("cards"), digits("cards"),
			bytes("raw", 24), ip, word("doc", 16), word("doc", 16), word("word", 24),
			word("home", 12), word("home", 12), digits("home"), digits("span"), word("big", 20), value)
		for _, n := range []int{i, i + 100} {
			fmt.Fprintf(&b, "INSERT INTO invoice VALUES (%d, %d, %d, 'note-%d', '%s', '%s', %s);\n", n, i, n, n, word("iban", 22), word("memo", 40), digits("paid"))
		}
		fmt.Fprintf(&b, "INSERT INTO loud VALUES (%d, 'loud-%d', '%s');\n", i, i, word("loud", 22))
		fmt.Fprintf(&b, "WITH p AS (INSERT INTO payment VALUES ('%s', %d) RETURNING iban) INSERT INTO refund SELECT %d, iban, 'refund-%d' FROM p;\n", word("payment", 22), i, i, i)
	}
	since2000 := func(year int, month time.Month, day int) uint64 {
		return uint64((time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() - 946684800) / 86400)
	}
	d.matcher.cells[string(be64(since2000(4711, 5, 17))[4:])] = "born as date"
	d.matcher.add("seen", be64(since2000(4712, 6, 18)*86400e6+45296789000), gram)
	d.matcher.add("born", []byte("4711-05-17"), 10)
	d.matcher.add("seen", []byte("4712-06-18"), 10)
	d.inserts = b.String()
}

func be64(n uint64) []byte {
	return []byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// fill puts the canaries back where statements have changed them.
func (d *database) fill(t testing.TB) {
	t.Helper()
	d.server.Exec(t, d.name, `TRUNCATE person, person_old, invoice, loud, payment, refund, sink; SET session_replication_role = replica; `+
		d.inserts+`REFRESH MATERIALIZED VIEW person_kept; ANALYZE`)
}

// masked are the columns of a policy.
var masked = map[string]string{
	"person":  "email phone code card balance pin ratio token born seen profile notes tags cards raw ip doc word home span big",
	"invoice": "iban memo paid", "loud": "iban", "payment": "iban", "refund": "iban",
}

// granted are the relations of a grant.
var granted = strings.Fields(`city person person_old invoice invoice_1 invoice_2 payment refund sink loud
	person_view person_short person_group person_row invoice_all person_kept`)

// terms of one task.
type terms struct {
	how          []v1alpha1.MaskHow
	inference    v1alpha1.Inference
	unrestricted bool
	gated        bool
	unmasked     bool
}

func (r terms) String() string {
	return fmt.Sprintf("how=%v inference=%s unrestricted=%t gated=%t", r.how, r.inference, r.unrestricted, r.gated)
}

func (r terms) policy(database string) v1alpha1.AccessPolicySpec {
	spec := sessiontest.ReadOrders()
	spec.Session.MaxConcurrent = 8
	spec.Recording.Output = v1alpha1.OutputFull
	all := []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert, v1alpha1.PrivilegeUpdate, v1alpha1.PrivilegeDelete}
	spec.Grant.Postgres = &v1alpha1.PostgresGrant{Database: database, Unrestricted: r.unrestricted}
	if !r.unrestricted {
		for _, name := range granted {
			spec.Grant.Postgres.Relations = append(spec.Grant.Postgres.Relations, v1alpha1.RelationGrant{Schema: "public", Name: name, Privileges: all})
		}
		for name := range strings.FieldsSeq("twice shout fail mail_of mail_quietly people joined same taken") {
			spec.Grant.Postgres.Functions = append(spec.Grant.Postgres.Functions, "public."+name)
		}
	}
	if r.gated {
		spec = sessiontest.Holding(spec, v1alpha1.EffectHoldCommit)
		spec.Rules[0].When = "session.inTransaction && action.kind in ['insert', 'update', 'delete', 'merge']"
		spec.Hold.CommitTimeoutSeconds, spec.Hold.LockTimeoutSeconds, spec.Hold.StatementTimeoutSeconds, spec.Hold.RowImages = 60, 30, 60, 10
	}
	if r.unmasked {
		return spec
	}
	spec.Masking = &v1alpha1.MaskingPolicy{Inference: r.inference}
	n := 0
	for relation := range strings.FieldsSeq("person invoice loud payment refund") {
		for column := range strings.FieldsSeq(masked[relation]) {
			m := v1alpha1.Mask{How: r.how[n%len(r.how)]}
			n++
			switch m.How {
			case v1alpha1.MaskPartial:
				m.KeepLast = 4
			case v1alpha1.MaskConstant:
				constant := "42"
				m.Constant = &constant
			case v1alpha1.MaskRedact, v1alpha1.MaskHash, v1alpha1.MaskNull:
			}
			spec.Masking.Columns = append(spec.Masking.Columns, v1alpha1.ColumnMask{Schema: "public", Relation: relation, Column: column, Mask: m})
		}
	}
	return spec
}

// door is an engine served on loopback for one task.
type door struct {
	*database
	address string
	watched *watched
	close   func()
}

// open serves a task until close. All that is recorded, or put before reviewers, who
// approve, goes through the watched.
func (d *database) open(t testing.TB, r terms, watch *watched) *door {
	t.Helper()
	reviews := func(o *session.Options) {
		o.Dial, o.Recorder, o.Hold = postgres.Dialer{}.Dial, watch, watch.hold
	}
	task := sessiontest.New(t, sessiontest.Waiting, reviews)
	spec := r.policy(d.name)
	task.Update(sessiontest.Granted(spec, &grant.PostgresUpstream{
		Host: "localhost", Addresses: []string{d.server.Host}, Port: int32(d.server.Port),
		TLSMode: v1alpha1.PostgresTLSVerifyFull, CABundle: string(d.server.CAPEM), Database: d.name, User: "app", Password: password,
	})(task.Key))
	if state := task.State(); state.Phase != grant.Granted {
		t.Fatalf("the policy of %s: %s", r, state.Reason)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	engine := postgres.New(postgres.Options{Judge: judge.New(8 << 20), AllowPlaintext: true, Log: logr.Discard()})
	var served sync.WaitGroup
	served.Go(func() {
		s := &server.Server{Engine: engine, Task: task.Task, Log: logr.Discard()}
		if err := s.Serve(ctx, listener); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	closed := sync.OnceFunc(func() {
		cancel()
		served.Wait()
	})
	t.Cleanup(closed)
	return &door{database: d, address: listener.Addr().String(), watched: watch, close: closed}
}
