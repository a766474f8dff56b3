package judge_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// oracleStatements is how many statements of the grammar run; in the environment
// SALLYPORT_ORACLE says another number (make oracle), SALLYPORT_ORACLE_SEED another seed.
const oracleStatements = 1200

// mostRefused is the share of statements that the judge may refuse, in percent: one
// that refuses all would be right about all.
const mostRefused = 15

// TestPG7_WhatPostgreSQLTouchesWasPredictedOrRefused runs statements on a server and
// compares what the judge says of them with what the server did: the relations that it
// locked, what its statistics count as written, the origins of the result's columns,
// and the tables whose marks are in the values that came out.
func TestPG7_WhatPostgreSQLTouchesWasPredictedOrRefused(t *testing.T) {
	t.Parallel()
	o := newOracle(t)
	o.byHand()
	t.Logf("by hand: %s", &o.count)
	if o.count.valid < 380 {
		t.Errorf("only %d statements by hand ran to their end", o.count.valid)
	}
	// Another search_path finds other tables by the same names, while views and bodies
	// stay what they are.
	o.count = count{}
	o.follow("other, app, public")
	o.byHand()
	t.Logf("by hand, under another search_path: %s", &o.count)
	o.follow("public, app")
	o.count = count{}
	o.session.Unrestricted = true
	o.byHand()
	t.Logf("by hand, unrestricted: %s", &o.count)
	o.session.Unrestricted = false
	o.count = count{}
	n, seed := oracleStatements, uint64(20261123)
	fromEnv(t, "SALLYPORT_ORACLE", func(v uint64) { n = int(v) })
	fromEnv(t, "SALLYPORT_ORACLE_SEED", func(v uint64) { seed = v })
	g := grammar{rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range n {
		if i == n*3/4 {
			o.follow("other, app, public")
		}
		o.try(g.statement())
	}
	t.Logf("generated: %s", &o.count)
	if o.count.valid*2 < n {
		t.Errorf("only %d of %d generated statements ran to their end", o.count.valid, n)
	}
	if o.count.refused*100 > o.count.valid*mostRefused {
		t.Errorf("%s: more than %d%% refused", &o.count, mostRefused)
	}
}

// TestTheOracleSeesWhatIsLeftOut has the oracle judge a judge that looks behind nothing.
func TestTheOracleSeesWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	o := newOracle(t)
	o.read = sql.Read
	wrong := 0
	o.report = func(string) { wrong++ }
	o.byHand()
	if wrong < 100 {
		t.Errorf("it found %d wrong statements only", wrong)
	}
}

// byHand tries the statements of testdata/oracle.txt.
func (o *oracle) byHand() {
	for line := range strings.SplitSeq(readFile(o.t, "testdata/oracle.txt"), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			o.try(line)
		}
	}
}

// follow changes the search_path, of the session and of what the judge knows of it.
// The snapshot stays the one of the path before.
func (o *oracle) follow(path string) {
	o.must("SET search_path = " + path)
	current, err := catalog.CurrentPath(o.t.Context(), o.ask)
	if err != nil {
		o.t.Fatal(err)
	}
	o.session.SearchPath = current
}

func fromEnv(t *testing.T, name string, set func(uint64)) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return
	}
	value, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	set(value)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// count is how statements fared: those that the server ran to their end, and those of
// them that the judge refused.
type count struct {
	tried, valid, refused int
	reasons               map[string]int
}

func (c *count) String() string {
	var reasons []string
	for reason, n := range c.reasons {
		reasons = append(reasons, fmt.Sprintf("%4d %s", n, reason))
	}
	slices.SortFunc(reasons, func(a, b string) int { return cmp.Compare(b, a) })
	return fmt.Sprintf("%d statements, %d valid, %d of these refused:\n%s", c.tried, c.valid, c.refused, strings.Join(reasons, "\n"))
}

type oracle struct {
	t       *testing.T
	conn    *pgconn.PgConn
	read    func(string, sql.Session) []sql.Statement
	report  func(violation string)
	session sql.Session
	// tables are the relations that count, by OID; an index and a TOAST table are
	// their table's.
	tables map[uint32]*catalog.Relation
	marks  []mark
	count  count
}

// mark is what the values of a column begin with.
type mark struct{ text, schema, table, column string }

func newOracle(t *testing.T) *oracle {
	t.Helper()
	server := pgtest.Start(t, pgtest.Options{Conf: []string{"max_connections = 20"}})
	server.Exec(t, "postgres", readFile(t, "testdata/oracle.sql"))
	conn := server.Connect(t, "postgres").PgConn()
	o := &oracle{t: t, conn: conn, read: judge.New(1 << 20).Read, report: func(violation string) { t.Error(violation) }, tables: map[uint32]*catalog.Relation{}}
	o.must("SET search_path = public, app; SET ROLE task; SET statement_timeout = '5s'")
	snapshot, err := catalog.Load(t.Context(), o.ask)
	if err != nil {
		t.Fatal(err)
	}
	o.session = sql.Session{Catalog: snapshot, SearchPath: snapshot.Path}
	for oid, r := range snapshot.Relations {
		if oid >= 16384 {
			o.tables[oid] = r
		}
	}
	rows, err := o.ask(t.Context(), `SELECT indexrelid, indrelid FROM pg_index UNION ALL SELECT reltoastrelid, oid FROM pg_class WHERE reltoastrelid <> 0
		UNION ALL SELECT i.indexrelid, c.oid FROM pg_index i JOIN pg_class c ON c.reltoastrelid = i.indrelid`)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if r := o.tables[number(row[1])]; r != nil {
			o.tables[number(row[0])] = r
		}
	}
	for _, r := range snapshot.Relations {
		if r.OID < 16384 || r.Kind != 'r' && r.Kind != 'p' {
			continue
		}
		for _, c := range r.Columns {
			o.marks = append(o.marks, mark{strings.ToLower(fmt.Sprintf("m:%s.%s.%s:", r.Schema, r.Name.Name, c.Name)), r.Schema, r.Name.Name, c.Name})
		}
	}
	return o
}

func number(text string) uint32 {
	n, _ := strconv.ParseUint(text, 10, 32)
	return uint32(n)
}

func (o *oracle) must(text string) {
	o.t.Helper()
	if err := o.conn.Exec(o.t.Context(), text).Close(); err != nil {
		o.t.Fatalf("%s: %v", text, err)
	}
}

func (o *oracle) ask(ctx context.Context, query string) ([][]string, error) {
	results, err := o.conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, row := range results[len(results)-1].Rows {
		fields := make([]string, len(row))
		for i, field := range row {
			fields[i] = string(field)
		}
		rows = append(rows, fields)
	}
	return rows, nil
}

// activity is what the transaction so far did to user relations: those that it has
// locked, and rows inserted, updated and deleted, and scans, by OID.
const activity = `SELECT l.relation, 1, 0, 0, 0 FROM pg_locks l
	WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384
	UNION ALL SELECT c.oid, pg_stat_get_xact_numscans(c.oid), pg_stat_get_xact_tuples_inserted(c.oid),
	pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)
	FROM pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 'm', 'i', 'p')`

type done struct{ seen, inserted, updated, deleted int }

func (o *oracle) activity() (map[uint32]done, error) {
	rows, err := o.ask(o.t.Context(), activity)
	if err != nil {
		return nil, err
	}
	out := map[uint32]done{}
	for _, row := range rows {
		oid := number(row[0])
		d := out[oid]
		for i, field := range []*int{&d.seen, &d.inserted, &d.updated, &d.deleted} {
			n, _ := strconv.Atoi(row[i+1])
			*field += n
		}
		out[oid] = d
	}
	return out, nil
}

// try runs a text in a transaction of its own, and compares.
func (o *oracle) try(text string) {
	o.count.tried++
	statements := o.read(text, o.session)
	o.must("BEGIN")
	defer o.must("ROLLBACK")
	before, err := o.activity()
	if err != nil {
		o.t.Fatal(err)
	}
	results, err := o.run(text, statements)
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok {
		if os.Getenv("SALLYPORT_ORACLE_VERBOSE") != "" {
			o.t.Logf("%s\nserver: %s", text, failed.Message)
		}
		return
	}
	if err != nil {
		o.t.Fatalf("%s: %v", text, err)
	}
	// What is deferred to the end happens now.
	if o.conn.Exec(o.t.Context(), "SET CONSTRAINTS ALL IMMEDIATE").Close() != nil {
		return
	}
	after, err := o.activity()
	if err != nil {
		o.t.Fatal(err)
	}
	o.count.valid++
	if reason := o.refused(statements); reason != "" {
		o.count.refused++
		if o.count.reasons == nil {
			o.count.reasons = map[string]int{}
		}
		o.count.reasons[reason]++
		return
	}
	var violations []string
	for oid, d := range after {
		b := before[oid]
		relation := o.tables[oid]
		if relation == nil {
			continue
		}
		violations = append(violations, compare(relation, done{d.seen - b.seen, d.inserted - b.inserted, d.updated - b.updated, d.deleted - b.deleted}, statements)...)
	}
	violations = append(violations, o.provenance(results, statements)...)
	if len(violations) > 0 {
		slices.Sort(violations)
		o.report(fmt.Sprintf("%s\n  %s\n  predicted %s", text, strings.Join(slices.Compact(violations), "\n  "), predicted(statements)))
	}
}

func (o *oracle) run(text string, statements []sql.Statement) ([]*pgconn.Result, error) {
	kind := ""
	if len(statements) == 1 {
		kind = statements[0].Action.Kind
	}
	switch kind {
	case "copy-to":
		var rows strings.Builder
		_, err := o.conn.CopyTo(o.t.Context(), &rows, text)
		result := &pgconn.Result{}
		separator := map[bool]string{true: ",", false: "\t"}[strings.Contains(text, "csv")]
		for line := range strings.SplitSeq(rows.String(), "\n") {
			var fields [][]byte
			for field := range strings.SplitSeq(line, separator) {
				fields = append(fields, []byte(field))
			}
			result.Rows = append(result.Rows, fields)
		}
		return []*pgconn.Result{result}, err
	case "copy-from":
		_, err := o.conn.CopyFrom(o.t.Context(), io.Reader(strings.NewReader("1\n2\n")), text)
		return nil, err
	default:
		return o.conn.Exec(o.t.Context(), text).ReadAll()
	}
}

// refused is why the judge refuses one of the statements; "" where it does not. What
// EXECUTE runs, the engine knows, and setval's sequence only an unrestricted grant
// may leave open.
func (o *oracle) refused(statements []sql.Statement) string {
	for _, s := range statements {
		switch a := s.Action; {
		case a.Unknown != "":
			return "unknown: " + a.Unknown
		case a.Opaque != "":
			return "opaque: " + a.Opaque
		case a.Kind == "execute", slices.ContainsFunc(a.Calls, func(c policy.Call) bool { return c.Function == "pg_catalog.setval" }):
			return "left to others: " + a.Kind
		case !o.session.Unrestricted && !slices.Contains(granted, a.Kind):
			return "no grant covers " + a.Kind
		}
	}
	return ""
}

// granted are the kinds that a grant without unrestricted can cover.
var granted = []string{"select", "values", "insert", "update", "delete", "merge", "explain", "declare", "fetch", "move", "close", "copy-to", "copy-from",
	"call", "lock", "savepoint", "rollback", "rollback to", "release", "show"}

func compare(r *catalog.Relation, d done, statements []sql.Statement) (violations []string) {
	has := func(privilege string) bool {
		for _, s := range statements {
			for _, a := range s.Action.Access {
				if a.Schema == r.Schema && a.Name == r.Name.Name && (privilege == "" || string(a.Privilege) == privilege || a.Privilege == "MAINTAIN") {
					return true
				}
			}
			if r.Kind == 'S' && slices.Contains(s.Action.Sequences, r.Schema+"."+r.Name.Name) {
				return true
			}
		}
		return false
	}
	for _, law := range []struct {
		n               int
		what, privilege string
	}{{d.seen, "touched", ""}, {d.inserted, "inserted into", "INSERT"}, {d.updated, "updated", "UPDATE"}, {d.deleted, "deleted from", "DELETE"}} {
		if law.n > 0 && !has(law.privilege) {
			violations = append(violations, fmt.Sprintf("%s %s.%s", law.what, r.Schema, r.Name.Name))
		}
	}
	return violations
}

func predicted(statements []sql.Statement) string {
	var lines []string
	for _, s := range statements {
		lines = append(lines, fmt.Sprintf("%s %v\n    columns %v\n    outputs %v\n    sequences %v calls %v", s.Action.Kind, s.Action.Access, s.Action.Columns, s.Outputs, s.Action.Sequences, s.Action.Calls))
	}
	return strings.Join(lines, "\n  ")
}

// provenance compares where the columns of results came from.
func (o *oracle) provenance(results []*pgconn.Result, statements []sql.Statement) (violations []string) {
	if len(results) != len(statements) {
		return nil
	}
	for n, result := range results {
		s := statements[n]
		if s.Action.Kind == "fetch" && n > 0 {
			s = statements[0]
		}
		if s.Action.Kind == "explain" || s.Outputs != nil && len(result.FieldDescriptions) > 0 && len(s.Outputs) != len(result.FieldDescriptions) {
			if s.Action.Kind != "explain" && !strings.HasPrefix(string(result.FieldDescriptions[0].Name), "QUERY PLAN") {
				violations = append(violations, fmt.Sprintf("%d columns come out, %d outputs", len(result.FieldDescriptions), len(s.Outputs)))
			}
			continue
		}
		for i, field := range result.FieldDescriptions {
			relation := o.tables[field.TableOID]
			if relation == nil || field.TableAttributeNumber == 0 || field.TableAttributeNumber > 1<<15 {
				continue
			}
			name := relation.ByNumber(int16(field.TableAttributeNumber))
			if !comesFrom(s, i, relation.Schema, relation.Name.Name, name) {
				violations = append(violations, fmt.Sprintf("column %d comes from %s.%s.%s", i, relation.Schema, relation.Name.Name, name))
			}
		}
		for _, row := range result.Rows {
			for i, value := range row {
				violations = append(violations, o.marked(s, i, string(value))...)
			}
		}
	}
	return violations
}

// marked finds the marks of columns in a value.
func (o *oracle) marked(s sql.Statement, i int, value string) (violations []string) {
	value = strings.ToLower(value)
	for _, m := range o.marks {
		if strings.Contains(value, m.text) && !comesFrom(s, i, m.schema, m.table, m.column) {
			violations = append(violations, fmt.Sprintf("column %d shows a value of %s.%s.%s", i, m.schema, m.table, m.column))
		}
	}
	return violations
}

// comesFrom says whether column i of a result may come from that column, or whether a
// mask on it would have refused the statement.
func comesFrom(s sql.Statement, i int, schema, table, column string) bool {
	matches := func(u policy.ColumnUse) bool {
		if column == "sku" && u.Relation == "items" && (u.Column == "sku" || u.Column == "*") {
			return true // its values are those of products
		}
		if u.Schema == "pg_catalog" && u.Relation == "pg_stats" {
			return true // refused by name where anything is masked
		}
		return u.Schema == schema && u.Relation == table && (u.Column == column || u.Column == "*")
	}
	refuses := func(u policy.ColumnUse) bool {
		return matches(u) && (u.Use == policy.UseCall || u.Use == policy.UseCopy)
	}
	if slices.ContainsFunc(s.Action.Columns, refuses) {
		return true
	}
	from := s.Action.Columns
	if i < len(s.Outputs) {
		from = s.Outputs[i].Columns
	}
	return slices.ContainsFunc(from, matches)
}
