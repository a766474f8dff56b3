package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestPG7_AnExecuteIsJudgedAsWhatItsNameStandsFor(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: ruled})
	r := p.ready(t)
	expect(t, r.say("PREPARE mine AS SELECT count(*) FROM orders WHERE id = $1", "EXECUTE mine(1)"),
		"PREPARE", "ready I", "columns", "row 1", "SELECT 1", "ready I")
	// The protocol and SQL share their names.
	r.write(bind("", "mine", "1"), execute("", 0), syncUp())
	expect(t, r.quiet(), "bound", "row 1", "SELECT 1", "ready I")
	expect(t, r.say("DEALLOCATE mine", "EXECUTE mine(1)"), "DEALLOCATE", "ready I", "ERROR 26000", "ready I")
	r.write(parse("theirs", "SELECT 7"), syncUp())
	expect(t, r.quiet(), "parsed", "ready I")
	expect(t, r.say("EXECUTE theirs", "DISCARD ALL", "EXECUTE theirs"), "columns", "row 7", "SELECT 1", "ready I", "DISCARD ALL", "ready I", "ERROR 26000", "ready I")
	for _, text := range []string{
		"PREPARE s AS SELECT * FROM salaries",
		"PREPARE s AS SELECT 1; EXECUTE s; DEALLOCATE s; PREPARE s AS TABLE salaries; EXECUTE s",
	} {
		if got := r.say(text); !slices.Contains(got, "ERROR 42501") {
			t.Error(text, got)
		}
	}
	// A name that the path gives another meaning is judged anew.
	target.Exec(t, "orders", "CREATE SCHEMA IF NOT EXISTS path2; CREATE TABLE path2.salaries (n int); GRANT ALL ON SCHEMA path2 TO by_scram; GRANT ALL ON path2.salaries TO by_scram")
	expect(t, r.say("SET search_path = path2", "PREPARE s AS SELECT count(*) FROM salaries", "EXECUTE s", "SET search_path = public", "EXECUTE s"),
		"SET", "ready I", "PREPARE", "ready I", "columns", "row 0", "SELECT 1", "ready I", "SET", "ready I", "ERROR 42501", "ready I")
}

// PostgreSQL looks the name up as the EXECUTE runs, not as it is bound.
func TestPG8_WhatAPortalExecutesByNameCannotBeReplaced(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: ruled})
	r := p.ready(t)
	expect(t, r.say("PREPARE s AS SELECT 1", "BEGIN"), "PREPARE", "ready I", "BEGIN", "ready T")
	r.write(parse("x", "EXECUTE s"), bind("p", "x"), syncUp())
	expect(t, r.quiet(), "parsed", "bound", "ready T")
	r.write(parse("d", "DEALLOCATE s"), bind("", "d"), execute("", 0), parse("m", "PREPARE s AS SELECT 2"), bind("", "m"), execute("", 0), syncUp())
	expect(t, r.quiet(), "parsed", "bound", "DEALLOCATE", "parsed", "bound", "PREPARE", "ready T")
	r.write(execute("p", 0), syncUp())
	expect(t, r.quiet(), "ERROR 26000", "ready E")
}

func TestAnOrdinaryGrantPreparesByTheProtocolAlone(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	r := p.ready(t)
	expect(t, r.say("PREPARE s AS SELECT 1", "EXECUTE s"), "ERROR 42501", "ready I", "ERROR 42501", "ready I")
}

func TestAnExecuteIsHeldWithWhatItRuns(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: func(s *v1alpha1.AccessPolicySpec) {
		payments(v1alpha1.EffectHold)(s)
		unrestrictedPolicy(s)
	}})
	r := p.ready(t)
	expect(t, r.say("PREPARE u AS UPDATE payments SET amount = $1 WHERE id = 20"), "PREPARE", "ready I")
	r.write(query("EXECUTE u(77)"))
	held := p.Reviewers.Next(t)
	if held.Operation.Kind != "update" || !strings.Contains(held.Operation.Text, "UPDATE payments SET amount = $1 WHERE id = 20") {
		t.Errorf("%+v", held.Operation)
	}
	held.Approve()
	expect(t, r.quiet(), "UPDATE 1", "ready I")
}

func TestNotificationsPass(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: unrestrictedPolicy})
	r := p.ready(t)
	expect(t, r.say("LISTEN news", "NOTIFY news, 'hello'"), "LISTEN", "ready I", "NOTIFY", "ready I")
}

// A client is told of its mistake as PostgreSQL tells it, and psql points at it.
func TestASyntaxErrorIsPostgreSQLsOwn(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	_, problems, _ := p.psql(t, p.dsn(), "-c", "SELECT 1 FORM orders")
	if !strings.Contains(problems, `syntax error at or near "orders"`) || !strings.Contains(problems, "LINE 1: SELECT 1 FORM orders") {
		t.Error(problems)
	}
	if !slices.Contains(p.operations(t), "Deny: SELECT 1 FORM orders") {
		t.Error(p.operations(t))
	}
	r := p.ready(t)
	r.write(parse("", "SELEC 1"), bind("", ""), syncUp())
	for {
		m, err := r.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if report, ok := m.(*pgproto3.ErrorResponse); ok {
			if report.Code != "42601" || report.Position != 1 {
				t.Errorf("%+v", report)
			}
			break
		}
	}
}
