package postgres

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// ruled is an unrestricted grant with a rule that keeps one table out.
func ruled(spec *v1alpha1.AccessPolicySpec) {
	unrestrictedPolicy(spec)
	spec.Rules = []v1alpha1.Rule{{Name: "no-salaries", Effect: v1alpha1.EffectDeny, Message: "not yours",
		When: "'public.salaries' in action.relations"}}
}

func TestANameMeansWhatTheSearchPathMakesOfIt(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: ruled})
	target.Exec(t, "orders", "CREATE SCHEMA IF NOT EXISTS path1; CREATE TABLE path1.salaries (n int); GRANT ALL ON SCHEMA path1 TO by_scram; GRANT ALL ON path1.salaries TO by_scram")
	r := p.ready(t)
	const read = "SELECT count(*) FROM salaries"
	expect(t, r.say(read, "SET search_path = path1, public", read), "ERROR 42501", "ready I", "SET", "ready I", "columns", "row 0", "SELECT 1", "ready I")
	// What is reverted is noticed, too, and a prepared statement means what it means now.
	r.write(parse("s", read), syncUp())
	expect(t, r.quiet(), "parsed", "ready I")
	expect(t, r.say("BEGIN", "SET LOCAL search_path = public", "SELECT 1"), "BEGIN", "ready T", "SET", "ready T", "columns", "row 1", "SELECT 1", "ready T")
	r.write(bind("", "s"), execute("", 0), syncUp())
	expect(t, r.quiet(), "ERROR 42501", "ready E")
	expect(t, r.say("ROLLBACK", read), "ROLLBACK", "ready I", "columns", "row 0", "SELECT 1", "ready I")
	r.write(bind("", "s"), execute("", 0), syncUp())
	expect(t, r.quiet(), "bound", "row 0", "SELECT 1", "ready I")
}

func TestWhatStandsBehindAChangeOfMeaningWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: ruled})
	const read = "SELECT count(*) FROM orders"
	for name, messages := range map[string][]pgproto3.FrontendMessage{
		"in one message": {query("SET search_path = pg_catalog; " + read)},
		"in one segment": {parse("", "SET search_path = pg_catalog"), bind("", ""), execute("", 0),
			parse("", read), bind("", ""), execute("", 0), syncUp()},
	} {
		r := p.ready(t)
		r.write(messages...)
		if got := r.quiet(); !slices.Contains(got, "ERROR 42501") {
			t.Error(name, got)
		}
	}
	// In a transaction of its own each is judged by what went before.
	r := p.ready(t)
	r.write(query("BEGIN"), parse("", "SET search_path = pg_catalog"), bind("", ""), execute("", 0),
		parse("", "SELECT count(*) FROM public.orders"), bind("", ""), execute("", 0), syncUp())
	got := append(r.quiet(), r.quiet()...)
	if got[len(got)-1] != "ready T" {
		t.Error(got)
	}
}

func TestAnUnrestrictedGrantWithoutRulesAsksTheTargetNothing(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: unrestrictedPolicy})
	r := p.ready(t)
	expect(t, r.say("SET search_path = pg_catalog; SELECT 1"), "SET", "columns", "row 1", "SELECT 1", "ready I")
	if known, _ := p.engine.catalogs.fresh(); known != nil {
		t.Error("the catalogs were read")
	}
}

func TestAnUnrestrictedSessionBeginsWithItsOwnPath(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: ruled})
	target.Exec(t, "orders", "CREATE SCHEMA IF NOT EXISTS path3; CREATE TABLE path3.salaries (n int); GRANT ALL ON SCHEMA path3 TO by_scram; GRANT ALL ON path3.salaries TO by_scram")
	out, problems, code := p.psql(t, p.dsn(), "-c", "SHOW search_path")
	if code != 0 || out != "\"$user\", public\n" {
		t.Error(out, problems)
	}
	r := p.open(t, 3<<16, "search_path", "path3")
	r.untilReady()
	expect(t, r.say("SELECT count(*) FROM salaries"), "columns", "row 0", "SELECT 1", "ready I")
	refused := p.open(t, 3<<16, "role", "postgres")
	expect(t, refused.untilReady(), "FATAL 42501", "EOF")
}

// What a session in another encoding is told must not become what all take for true.
func TestTheCatalogIsReadInUTF8WhateverTheClientSpeaks(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: ruled})
	target.Exec(t, "orders", `CREATE TABLE IF NOT EXISTS "größe" (n int)`)
	r := p.open(t, 3<<16, "client_encoding", "LATIN1")
	r.untilReady()
	if known, _ := p.engine.catalogs.fresh(); known.Resolve(nil, "public", "größe") == nil {
		t.Error("the name has another encoding")
	}
	expect(t, r.say("SELECT 1", "BEGIN", "CREATE TEMP TABLE mine (n int)", "SELECT * FROM mine"),
		"columns", "row 1", "SELECT 1", "ready I", "BEGIN", "ready T", "CREATE TABLE", "ready T", "ERROR 0A000", "ready E")
}

func TestWhatOthersMakeMeanwhileIsSeenWhenItIsNamed(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: ruled})
	r := p.ready(t)
	expect(t, r.say("SELECT 1"), "columns", "row 1", "SELECT 1", "ready I")
	target.Exec(t, "orders", "CREATE VIEW later1 AS SELECT * FROM salaries; CREATE VIEW later2 AS SELECT * FROM salaries; GRANT SELECT ON later1, later2 TO by_scram")
	expect(t, r.say("SELECT * FROM later1"), "ERROR 42501", "ready I")
	expect(t, r.say("BEGIN", "SELECT * FROM later2"), "BEGIN", "ready T", "ERROR 42501", "ready E")
}

func TestTheCatalogIsReadAnewOnceItIsAMinuteOld(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	p := newProxy(t, change{policy: ruled, options: func(o *Options) {
		o.Now = func() time.Time { return time.Unix(0, 0).Add(time.Duration(passed.Load())) }
	}})
	r := p.ready(t)
	read := func() time.Time {
		t.Helper()
		expect(t, r.say("SELECT 1"), "columns", "row 1", "SELECT 1", "ready I")
		_, read := p.engine.catalogs.fresh()
		return read
	}
	first := read()
	passed.Store(int64(freshFor))
	if !read().Equal(first) {
		t.Error("it was read anew early")
	}
	passed.Store(int64(freshFor) + 1)
	if !read().After(first) {
		t.Error("it is still the old one")
	}
}
