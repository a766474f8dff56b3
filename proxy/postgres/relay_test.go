package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func query(text string) *pgproto3.Query { return &pgproto3.Query{String: text} }

func parse(name, text string) *pgproto3.Parse { return &pgproto3.Parse{Name: name, Query: text} }

func bind(portal, statement string, values ...string) *pgproto3.Bind {
	b := &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: statement}
	for _, v := range values {
		b.Parameters = append(b.Parameters, []byte(v))
	}
	return b
}

func execute(portal string, rows uint32) *pgproto3.Execute {
	return &pgproto3.Execute{Portal: portal, MaxRows: rows}
}

func syncUp() *pgproto3.Sync { return &pgproto3.Sync{} }

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPG6_PsqlWorksAsItDoes(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for _, c := range []struct{ command, want string }{
		{`\d orders`, "customer|text"},
		{`\dt`, "orders"},
		{`\conninfo`, "SSL connection"},
		{"SELECT 1; SELECT 2", "1\n2\n"},
		{"BEGIN; UPDATE orders SET amount = 0 WHERE id = 1; ROLLBACK", "UPDATE 1"},
		{"SELECT count(*) FROM generate_series(1, 100000) g", "100000"},
		{"SHOW search_path", SearchPath},
		{"", ""},
		{"-- nothing", ""},
	} {
		stdout, stderr, code := p.psql(t, p.dsn(), "-c", c.command)
		if code != 0 || !strings.Contains(stdout, c.want) {
			t.Errorf("%s: %d %s%s", c.command, code, stdout, stderr)
		}
	}
}

func TestPG10_ARefusalInATransactionLeavesItFailedAndTheSessionUsable(t *testing.T) {
	t.Parallel()
	r := newProxy(t).ready(t)
	for _, step := range []struct {
		text string
		want []string
	}{
		{"SELECT * FROM salaries", []string{"ERROR 42501", "ready I"}},
		{"BEGIN", []string{"BEGIN", "ready T"}},
		{"SELECT count(*) FROM salaries", []string{"ERROR 42501", "ready E"}},
		{"SELECT 1", []string{"ERROR 25P02", "ready E"}},
		{"SELECT * FROM salaries", []string{"ERROR 42501", "ready E"}},
		{"COMMIT", []string{"ROLLBACK", "ready I"}},
		{"SELECT 1; DROP TABLE orders; SELECT 2", []string{"ERROR 42501", "ready I"}},
		{"FROBNICATE", []string{"ERROR 42601", "ready I"}},
		{"SELECT 7", []string{"columns", "row 7", "SELECT 1", "ready I"}},
	} {
		r.write(query(step.text))
		expect(t, r.untilReady(), step.want...)
	}
}

func TestARefusalSaysWhichPolicyAndRuleAndWhatToDoNext(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	_, stderr, _ := p.psql(t, p.dsn(), "-c", "DROP TABLE orders")
	for _, words := range []string{"ERROR:", `policy "orders-read"`, `rule "grant"`, "HINT:", "pay-1423"} {
		if !strings.Contains(stderr, words) {
			t.Errorf("no %s in %s", words, stderr)
		}
	}
}

func TestPG6_ARefusalInAPipelineAbortsItAsTheTargetWould(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	r := p.ready(t)
	r.write(
		parse("", "INSERT INTO orders VALUES (5001, 'pipeline')"), bind("", ""), execute("", 0),
		parse("", "SELECT * FROM salaries /* pipelined */"), &pgproto3.Describe{ObjectType: 'S'}, bind("", ""), execute("", 0),
		parse("", "SELECT 'skipped'"), bind("", ""), execute("", 0), syncUp(),
		parse("", "SELECT 'next'"), bind("", ""), execute("", 0), syncUp(),
	)
	expect(t, r.untilReady(), "parsed", "bound", "INSERT 0 1", "ERROR 42501", "ready I")
	expect(t, r.untilReady(), "parsed", "bound", "row next", "SELECT 1", "ready I")
	r.write(query("SELECT count(*) FROM orders WHERE id = 5001"))
	expect(t, r.untilReady(), "columns", "row 0", "SELECT 1", "ready I")
	if reached("pipelined") || slices.Contains(p.operations(t), "Allow: SELECT 'skipped'") {
		t.Error("what was refused, or skipped, was not held back")
	}
}

func TestPG6_PortalsAreReadInPartsAsOneOperation(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	r := p.ready(t)
	r.write(parse("s", "SELECT id FROM orders ORDER BY id LIMIT 3"), bind("p", "s"), execute("p", 2), execute("p", 2), execute("p", 2), syncUp())
	expect(t, r.untilReady(), "parsed", "bound", "row 1", "row 2", "suspended", "row 3", "SELECT 1", "SELECT 0", "ready I")
	// The portal has gone with its transaction.
	r.write(execute("p", 0), syncUp())
	expect(t, r.untilReady(), "ERROR 34000", "ready I")
	r.write(bind("", "nobody"), execute("", 0), syncUp())
	expect(t, r.untilReady(), "ERROR 26000", "ready I")
	expect(t, p.operations(t), "Allow: SELECT id FROM orders ORDER BY id LIMIT 3")
}

func TestPG6_DescribeAfterParseNeedsNoExecute(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	r := p.ready(t)
	r.write(parse("s", "SELECT id FROM orders WHERE id = $1"), &pgproto3.Describe{ObjectType: 'S', Name: "s"}, syncUp())
	expect(t, r.untilReady(), "parsed", "parameters", "columns", "ready I")
	r.write(bind("", "s", "4"), &pgproto3.Describe{ObjectType: 'P'}, execute("", 0), syncUp())
	expect(t, r.untilReady(), "bound", "columns", "row 4", "SELECT 1", "ready I")
	r.write(parse("t", "SELECT * FROM salaries"), &pgproto3.Describe{ObjectType: 'S', Name: "t"}, syncUp())
	expect(t, r.untilReady(), "ERROR 42501", "ready I")
	r.write(parse("two", "SELECT 1; SELECT 2"), syncUp())
	expect(t, r.untilReady(), "ERROR 42601", "ready I")
	r.write(parse("none", " -- nothing"), bind("", "none"), execute("", 0), syncUp())
	expect(t, r.untilReady(), "parsed", "bound", "empty", "ready I")
	r.write(&pgproto3.Close{ObjectType: 'S', Name: "s"}, syncUp())
	expect(t, r.untilReady(), "closed", "ready I")
	r.write(bind("", "s", "4"), syncUp())
	expect(t, r.untilReady(), "ERROR 26000", "ready I")
}

func TestPG6_PgxPreparesPipelinesAndReadsBinary(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		conn := p.connect(t, func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = mode })
		for id := range 3 {
			var customer string
			var amount float64
			err := conn.QueryRow(ctx, "SELECT customer, amount::float8 FROM orders WHERE id = $1", id+10).Scan(&customer, &amount)
			if err != nil || customer != fmt.Sprintf("customer %d", id+10) || amount != float64(id+10)*1.5 {
				t.Errorf("%v: %s %v %v", mode, customer, amount, err)
			}
		}
		batch := &pgx.Batch{}
		for id := range 100 {
			batch.Queue("SELECT $1::int", id)
		}
		results := conn.SendBatch(ctx, batch)
		for id := range 100 {
			var got int
			if err := results.QueryRow().Scan(&got); err != nil || got != id {
				t.Fatalf("%v: %d %v", mode, got, err)
			}
		}
		if err := results.Close(); err != nil {
			t.Error(mode, err)
		}
	}
}

func TestValuesAreRecordedWithTheirStatement(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	conn := p.connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := conn.Exec(ctx, "UPDATE orders SET customer = $1 WHERE id = $2 AND customer IS DISTINCT FROM $3", "O'Brien", 77, nil); err != nil {
		t.Fatal(err)
	}
	// A result is written with the next operation.
	if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	var got []record.Text
	operation := int64(0)
	for _, event := range p.events(t) {
		if event.Operation != nil && len(event.Operation.Values) > 0 {
			got, operation = event.Operation.Values, event.Operation.ID
		}
	}
	want := []record.Text{"'O''Brien'", `'\x0000004d' /* type 23 */`, "NULL"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if result := p.results(t)[operation]; result.Tag != "UPDATE 1" || result.Rows != 1 {
		t.Errorf("%+v", result)
	}
}

func TestPG6_FunctionCallIsRefused(t *testing.T) {
	t.Parallel()
	r := newProxy(t).ready(t)
	r.write(&pgproto3.FunctionCall{Function: 1598})
	expect(t, r.untilReady(), "ERROR 42501", "ready I")
	r.write(query("SELECT 1"))
	expect(t, r.untilReady(), "columns", "row 1", "SELECT 1", "ready I")
}

func TestPG6_WhatTheProtocolDoesNotKnowEndsTheSession(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for _, message := range []string{"Y\x00\x00\x00\x04", "Q\x00\x00\x00\x05x", "p\x00\x00\x00\x05\x00", "B\x00\x00\x00\x06\x00\x00", "S\x00\x00\x00\x05x", "Q\xff\xff\xff\xff", "H\x00\x00\x00\x00"} {
		r := p.ready(t)
		if _, err := r.conn.Write([]byte(message)); err != nil {
			t.Fatal(err)
		}
		if got := r.next(); got != "FATAL 08P01" && got != "FATAL 54000" {
			t.Errorf("%q: %s", message, got)
		}
	}
}

func TestLIFE1_AClosedTaskEndsItsSessionsWithTheReason(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	idle, busy := p.ready(t), p.ready(t)
	text := forever + " WHERE 7 = 7"
	busy.write(query(text))
	awaitRunning(t, text)
	began := time.Now()
	p.Update(sessiontest.Ended(p.Key))
	for _, r := range []*raw{idle, busy} {
		if got := r.next(); got != "FATAL 57P01" {
			t.Error(got)
		}
		if got := r.next(); got != "EOF" {
			t.Error(got)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	for end := time.Now().Add(patience); running(t, text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the target still runs the statement")
		}
	}
}

func TestTheTargetsOwnWordsAtTheEndReachTheClient(t *testing.T) {
	t.Parallel()
	r := newProxy(t).ready(t)
	r.write(query("SELECT pg_backend_pid()"))
	row := r.untilReady()[1]
	target.Exec(t, "postgres", "SELECT pg_terminate_backend("+strings.TrimPrefix(row, "row ")+")")
	expect(t, r.until("EOF"), "FATAL 57P01", "EOF")
}

func TestAClientHearsWhyItsTaskEndedAlsoWhenTheTargetSpeaksFirst(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	conn := p.connect(t, func(*pgx.ConnConfig) {})
	var pid string
	if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()::text").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	// As a teardown does, whose word to the proxy goes another way.
	target.Exec(t, "postgres", "SELECT pg_terminate_backend("+pid+")")
	p.Update(sessiontest.Ended(p.Key))
	_, err := conn.Exec(t.Context(), "SELECT 1")
	var said *pgconn.PgError
	if !errors.As(err, &said) || !strings.Contains(said.Message, "the task is over") {
		t.Errorf("the client heard: %v", err)
	}
}

func TestPG6_NotificationsReachAListener(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{options: func(o *Options) { o.Judge = classified(blind) }})
	conn := p.connect(t, func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := conn.Exec(ctx, "LISTEN jobs"); err != nil {
		t.Fatal(err)
	}
	target.Exec(t, "orders", "NOTIFY jobs, 'done'")
	got, err := conn.WaitForNotification(ctx)
	if err != nil || got.Payload != "done" {
		t.Error(got, err)
	}
}
