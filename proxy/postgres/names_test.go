package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/proxy/postgres/judge"
)

func closing(object byte, name string) *pgproto3.Close {
	return &pgproto3.Close{ObjectType: object, Name: name}
}

// PostgreSQL keeps 63 bytes of a name. Were two longer ones told apart here, one
// text would be recorded and another would run.
func TestPG8_NoTwoNamesAreOneToTheTarget(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	long := strings.Repeat("n", maxName)
	for name, messages := range map[string][]pgproto3.FrontendMessage{
		"a statement":               {parse(long+"1", "SELECT 1")},
		"a statement beyond ASCII":  {parse("é", "SELECT 1")},
		"a statement that is bound": {bind("", long+"1")},
		"a portal":                  {parse("", "SELECT 1"), bind(long+"1", "")},
		"a portal that runs":        {execute(long+"1", 0)},
		"one that is closed":        {closing('S', long+"1")},
		"one that is described":     {&pgproto3.Describe{ObjectType: 'P', Name: long + "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := p.ready(t)
			r.write(append(messages, syncUp())...)
			expect(t, r.untilReady(), "ERROR "+codeName, "ready I")
			r.write(parse(long, "SELECT 1"), bind(long, long), execute(long, 0), syncUp())
			expect(t, r.untilReady(), "parsed", "bound", "row 1", "SELECT 1", "ready I")
		})
	}
}

// A cursor can take the name of a portal that SQL has closed.
func TestPG8_APortalIsNotTheCursorThatTookItsName(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	const bound, declared = "SELECT 'bound'", "DECLARE c CURSOR FOR SELECT 'declared'"
	run := func(text string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{parse("", text), bind("", ""), execute("", 0)}
	}
	for name, takeover := range map[string][]pgproto3.FrontendMessage{
		"in one pipeline":   append(append(run("CLOSE c"), run(declared)...), execute("c", 0)),
		"by simple queries": {query("CLOSE c"), query(declared), execute("c", 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := p.ready(t)
			r.write(query("BEGIN"), parse("", bound), bind("c", ""), syncUp())
			r.until("ready T")
			r.until("ready T")
			r.write(append(takeover, syncUp())...)
			for m := r.next(); m != "ready E"; m = r.next() {
				if m == "row declared" || m == "EOF" {
					t.Fatal(m)
				}
			}
		})
	}
}

func TestStatementsThatSQLDeallocatesAreForgotten(t *testing.T) {
	t.Parallel()
	r := newProxy(t).ready(t)
	const atOnce = 500
	for round := range 2 * maxNames / atOnce {
		var messages []pgproto3.FrontendMessage
		for i := range atOnce {
			name := fmt.Sprintf("s_%d", i)
			messages = append(messages, parse(name, "SELECT 1"))
			if round%2 == 0 {
				messages = append(messages, parse("", `DEALLOCATE "`+name+`"`), bind("", ""), execute("", 0))
			}
		}
		r.write(append(messages, syncUp(), query("DEALLOCATE ALL"))...)
		for range 2 {
			if got := r.until("ready I"); strings.Contains(strings.Join(got, " "), "ERROR") {
				t.Fatal(round, got[len(got)-2:])
			}
		}
	}
}

func TestASessionThatHasPreparedTooMuchCanEndItsTransaction(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{options: func(o *Options) { o.Judge = judge.New(1 << 20) }})
	r := p.ready(t)
	var refused bool
	for i := 0; i < 2*maxNames && !refused; i += 500 {
		var messages []pgproto3.FrontendMessage
		for n := range 500 {
			messages = append(messages, parse(fmt.Sprintf("s%d", i+n), "SELECT 1"))
		}
		r.write(append(messages, syncUp())...)
		refused = strings.Contains(strings.Join(r.untilReady(), " "), "ERROR "+codeLimit)
	}
	if !refused {
		t.Fatal("as many prepared statements as one likes")
	}
	r.write(parse("", "ROLLBACK"), bind("", ""), execute("", 0), parse("s1", "SELECT 1"), syncUp())
	expect(t, r.untilReady(), "parsed", "bound", "notice", "ROLLBACK", "ERROR 42P05", "ready I")
}

// It measures nothing: what is kept of names is bounded by refusing more.
func TestPG1_NamesOfOneSegmentAreBounded(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for name, message := range map[string]func(string) pgproto3.FrontendMessage{
		"closed statements": func(n string) pgproto3.FrontendMessage { return closing('S', n) },
		"closed portals":    func(n string) pgproto3.FrontendMessage { return closing('P', n) },
		"portals":           func(n string) pgproto3.FrontendMessage { return bind(n, "s") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := p.ready(t)
			r.write(parse("s", "SELECT 1"), syncUp())
			r.untilReady()
			go func() {
				for i := range maxNames + 1 {
					r.Send(message(fmt.Sprintf("n%d", i)))
					if i%500 == 0 && r.Flush() != nil {
						return
					}
				}
				r.Send(syncUp())
				_ = r.Flush()
			}()
			got := r.untilReady()
			expect(t, got[len(got)-2:], "ERROR "+codeLimit, "ready I")
		})
	}
}
