package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

// ask asks as the engine does: by the simple protocol, text for each field.
func ask(conn *pgconn.PgConn) catalog.Ask {
	return func(ctx context.Context, query string) ([][]string, error) {
		results, err := conn.Exec(ctx, query).ReadAll()
		if err != nil {
			return nil, err
		}
		var rows [][]string
		for _, row := range results[0].Rows {
			fields := make([]string, len(row))
			for i, field := range row {
				fields[i] = string(field)
			}
			rows = append(rows, fields)
		}
		return rows, nil
	}
}

func load(t *testing.T, setup string) *catalog.Snapshot {
	t.Helper()
	server := pgtest.Start(t, pgtest.Options{})
	server.Exec(t, "postgres", "CREATE ROLE task;"+setup)
	conn := server.Connect(t, "postgres").PgConn()
	if err := conn.Exec(t.Context(), "SET ROLE task").Close(); err != nil {
		t.Fatal(err)
	}
	snapshot, err := catalog.Load(t.Context(), ask(conn))
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func TestASnapshotHasWhatIsBehindARelation(t *testing.T) {
	t.Parallel()
	s := load(t, `
CREATE SCHEMA app;
CREATE FUNCTION app.valid(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE FUNCTION app.fire() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, "$user", "My ""path" AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION app.total(a int, b int DEFAULT 1, VARIADIC c int[] DEFAULT '{}') RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT 2; SELECT 1; END;
CREATE FUNCTION app.double(a int) RETURNS int LANGUAGE sql RETURN a * 2;
CREATE FUNCTION app.same(int, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = text, FUNCTION = app.same);
CREATE FUNCTION app.plus(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE app.summed(int) (SFUNC = app.plus, STYPE = int, INITCOND = '0');
CREATE TABLE app.customers (id int PRIMARY KEY, email text);
CREATE TABLE app.orders (id int GENERATED ALWAYS AS IDENTITY, gone int, customer int REFERENCES app.customers ON DELETE CASCADE ON UPDATE SET NULL,
  n serial, CHECK (app.valid(customer))) PARTITION BY LIST (id);
ALTER TABLE app.orders DROP COLUMN gone;
CREATE TABLE app.orders_1 PARTITION OF app.orders FOR VALUES IN (1);
CREATE TRIGGER fire BEFORE INSERT OR UPDATE ON app.orders FOR EACH ROW EXECUTE FUNCTION app.fire();
CREATE INDEX ON app.customers (app.double(id)) WHERE app.valid(id);
CREATE VIEW app.v AS SELECT email AS mail FROM app.customers WHERE id > 1;
CREATE TABLE app.log (x int, y int, z int GENERATED ALWAYS AS (y + x) STORED);
CREATE RULE r AS ON DELETE TO app.customers DO ALSO INSERT INTO app.log VALUES (OLD.id);
ALTER TABLE app.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.customers USING (id IN (SELECT x FROM app.log));
CREATE DOMAIN app.small AS int CHECK (app.valid(VALUE));
CREATE TYPE app.pair AS (a int, b int);
CREATE FUNCTION app.paired(int) RETURNS app.pair LANGUAGE sql AS 'SELECT NULL::app.pair';
CREATE CAST (int AS app.pair) WITH FUNCTION app.paired(int);
`)
	find := func(name string) *catalog.Relation {
		t.Helper()
		r := s.Resolve([]string{"public", "app"}, "", name)
		if r == nil {
			t.Fatalf("no relation %s", name)
		}
		return r
	}
	function := func(name string) *catalog.Function {
		t.Helper()
		f := s.Functions(nil, "app", name)
		if len(f) != 1 {
			t.Fatalf("%d functions %s", len(f), name)
		}
		return f[0]
	}
	names := func(oids []uint32) (out []string) {
		for _, oid := range oids {
			if f := s.Function(oid); f != nil {
				out = append(out, f.Name.Name)
			} else {
				out = append(out, s.Relation(oid).Name.Name)
			}
		}
		slices.Sort(out)
		return out
	}
	check := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	orders, customers := find("orders"), find("customers")
	var columns []string
	for _, c := range orders.Columns {
		columns = append(columns, fmt.Sprint(c.Number, c.Name))
	}
	check("columns", columns, "[1id 3customer 4n]")
	check("kinds", []string{string(orders.Kind), string(find("v").Kind), string(find("orders_id_seq").Kind)}, "[p v S]")
	check("children", names(orders.Children), "[orders_1]")
	check("parents", names(find("orders_1").Parents), "[orders]")
	check("sequences", names(orders.Sequences), "[orders_id_seq orders_n_seq]")
	check("calls", names(orders.Calls), "[valid]")
	check("calls of indexes", names(customers.Calls), "[double valid]")
	check("references", orders.References, []catalog.Reference{{Relation: customers.OID, Delete: 'c', Update: 'n'}})
	check("referenced", customers.References[0], catalog.Reference{Relation: orders.OID, Incoming: true, Delete: 'c', Update: 'n'})
	check("triggers", orders.Triggers, []catalog.Trigger{{Name: "fire", Function: function("fire").OID, Events: "iu", Enabled: true}})
	check("view", strings.ReplaceAll(strings.Join(strings.Fields(find("v").View), " "), "customers.", ""), "SELECT email AS mail FROM app.customers WHERE (id > 1);")
	check("view reads", len(find("v").Reads), 2)
	check("generated", find("log").Columns[2].From, "[1 2]")
	check("rule", []any{len(customers.Rules), string(customers.Rules[0].Event), customers.Rules[0].Instead}, "[1 d false]")
	check("policy", []any{customers.RowSecurity, len(customers.PolicyReads), customers.PolicyReads[0].Relation == find("log").OID}, "[true 1 true]")
	fire := function("fire")
	check("function", []any{fire.Definer, fire.Language, fire.Volatility, strings.Contains(fire.Body, "AS $function$BEGIN RETURN NEW; END$function$")}, "[true plpgsql volatile true]")
	check("path", fmt.Sprintf("%q", fire.SearchPath), `["app" "postgres" "My \"path"]`)
	total := function("total")
	check("arguments", []any{total.Arguments, total.Defaults, total.Variadic, total.Atomic, total.Parameters}, "[3 2 true true [a b c]]")
	check("atomic", strings.Join(strings.Fields(total.Body), " "), "SELECT 2; SELECT 1;")
	check("returned", strings.Join(strings.Fields(function("double").Body), " "), `SELECT (a * 2)`)
	check("aggregate", names(function("summed").Calls), "[plus]")
	check("operators", len(s.Operators([]string{"app"}, "===")), 1)
	check("operators elsewhere", len(s.Operators([]string{"public"}, "===")), 0)
	check("coercions", names(s.Coercions), "[paired valid]")
	check("catalogs", find("pg_class").Schema, "pg_catalog")
	if s.Resolve([]string{"public"}, "", "orders") != nil {
		t.Error("found orders where the path has no app")
	}
}

// CVE-2018-1058: what stands first on the search_path must not answer in place of
// PostgreSQL's own.
func TestPG2_NothingOnTheSearchPathStandsInForWhatTheReaderUses(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	server.Exec(t, "postgres", `
CREATE ROLE task;
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO task;
CREATE TABLE public.orders (id int, email text);
CREATE TABLE evil.pg_class (oid oid); CREATE TABLE evil.pg_namespace (oid oid); CREATE TABLE evil.pg_attribute (oid oid);
CREATE TYPE evil.text AS (a int); CREATE TYPE evil.name AS (a int); CREATE TYPE evil.oid AS (a int); CREATE TYPE evil."char" AS (a int); CREATE TYPE evil.regclass AS (a int);
DO $$
DECLARE o record;
BEGIN
  FOR o IN SELECT DISTINCT oprname, oprleft, oprright FROM pg_operator WHERE oprname IN ('=', '<>', '>=', '<', '>', '<=', '||', '~~') AND oprleft <> 0 AND oprright <> 0
    AND oprleft IN ('oid'::regtype, 'name'::regtype, 'text'::regtype, '"char"'::regtype, 'int4'::regtype, 'int2'::regtype)
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION evil.hijack(%s, %s) RETURNS bool LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION $x$hijacked$x$; END''', o.oprleft::regtype, o.oprright::regtype);
    EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.hijack)', o.oprname, o.oprleft::regtype, o.oprright::regtype);
  END LOOP;
END $$;
CREATE FUNCTION evil.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $x$hijacked$x$; END';
CREATE FUNCTION evil.current_schemas(bool) RETURNS name[] LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $x$hijacked$x$; END';
`)
	conn := server.Connect(t, "postgres").PgConn()
	if err := conn.Exec(t.Context(), "SET ROLE task; SET search_path = evil, pg_catalog, public").Close(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "SELECT 1::pg_catalog.int4 = 1::pg_catalog.int4").Close(); err == nil {
		t.Fatal("the trap does not work: PostgreSQL's own = ran")
	}
	snapshot, err := catalog.Load(t.Context(), ask(conn))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"evil", "pg_catalog", "public"}, snapshot.Path); diff != "" {
		t.Errorf("path (-want +got):\n%s", diff)
	}
	if r := snapshot.Resolve(snapshot.Path, "", "orders"); r == nil || len(r.Columns) != 2 {
		t.Errorf("orders is %v", r)
	}
	if r := snapshot.Resolve(snapshot.Path, "", "pg_class"); r == nil || r.Schema != "evil" {
		t.Errorf("pg_class is %v, want evil's, as the path says", r)
	}
}

func TestTemporaryRelationsComeFirstAndOthersOfOtherSessionsNot(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	other := server.Connect(t, "postgres").PgConn()
	conn := server.Connect(t, "postgres").PgConn()
	run := func(c *pgconn.PgConn, sql string) {
		t.Helper()
		if err := c.Exec(t.Context(), sql).Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(other, "CREATE TEMP TABLE theirs (a int)")
	run(conn, "CREATE TABLE orders (a int); CREATE TEMP TABLE orders (b int)")
	s, err := catalog.Load(t.Context(), ask(conn))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Resolve([]string{"public"}, "", "orders"); r == nil || !r.Temporary || s.Resolve(nil, "pg_temp", "orders") != r {
		t.Errorf("orders is %v, want the temporary one", r)
	}
	for _, r := range s.Relations {
		if r.Name.Name == "theirs" {
			t.Error("another session's temporary table is in the snapshot")
		}
	}
}

func TestACatalogThatIsTooLargeOrOddIsAnError(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string][][]string{
		"too many rows": make([][]string, 1_000_001),
		"odd rows":      {{"x", "y", "z"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			_, err := catalog.Load(t.Context(), func(context.Context, string) ([][]string, error) {
				if asked++; asked == 1 {
					return [][]string{{"public"}}, nil
				}
				return answer, nil
			})
			if err == nil {
				t.Error("no error")
			}
		})
	}
	_, err := catalog.Load(t.Context(), func(context.Context, string) ([][]string, error) { return nil, context.Canceled })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
