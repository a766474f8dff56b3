package sql_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// TestPG7_EveryKindOfStatementHasItsTreatment holds the table of docs/postgres.md:
// what each is, names and moves, and whether a grant that reads two tables and an
// unrestricted one cover it. "-" is refused, "+" is allowed.
func TestPG7_EveryKindOfStatementHasItsTreatment(t *testing.T) {
	t.Parallel()
	ordinary := compile(t)
	unrestricted, err := policy.Compile("all", v1alpha1.AccessPolicySpec{Grant: v1alpha1.Grant{
		Postgres: &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text, kind, grants string
		// node=…, prepares=…, set=…, path and catalog (that they move), limit, opaque.
		facts string
	}{
		{"SELECT * FROM orders LIMIT 5", "select", "++", "limit"},
		{"SELECT * FROM orders FETCH FIRST 5 ROWS ONLY", "select", "++", "limit"},
		{"SELECT * FROM (SELECT * FROM orders LIMIT 5) x LIMIT ALL", "select", "++", ""},
		{"TABLE secrets", "select", "-+", ""},
		{"VALUES (1), (2) LIMIT 1", "values", "++", "limit"},
		{"INSERT INTO orders VALUES (1)", "insert", "-+", ""},
		{"UPDATE orders SET a = 1", "update", "-+", ""},
		{"DELETE FROM orders", "delete", "-+", ""},
		{"MERGE INTO orders USING customers ON true WHEN MATCHED THEN DELETE", "merge", "-+", ""},
		{"COPY orders TO STDOUT", "copy-to", "++", ""},
		{"COPY orders FROM STDIN", "copy-from", "-+", ""},
		{"COPY orders TO '/tmp/x'", "copy-to-file", "-+", ""},
		{"COPY orders FROM '/tmp/x'", "copy-from-file", "-+", "path catalog opaque"},
		{"COPY orders TO PROGRAM 'cat'", "copy-to-program", "-+", "path catalog opaque"},
		{"COPY orders FROM PROGRAM 'cat'", "copy-from-program", "-+", "path catalog opaque"},
		{"COPY orders TO STDOUT (ENCODING 'SJIS')", "copy-to", "--", ""},
		{"COPY orders TO STDOUT (ENCODING 'utf-8')", "copy-to", "-+", ""},
		{"EXPLAIN SELECT * FROM orders", "explain", "++", ""},
		{"EXPLAIN ANALYZE DELETE FROM orders", "delete", "-+", ""},
		{"EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT 1", "declare", "++", ""},
		{"EXPLAIN EXECUTE p", "execute", "-+", "node=p"},
		{"DECLARE c CURSOR FOR SELECT * FROM orders", "declare", "++", "node=c"},
		{"FETCH 5 FROM c", "fetch", "++", "node=c"},
		{"MOVE c", "move", "++", "node=c"},
		{"CLOSE c", "close", "++", "node=c"},
		{"CLOSE ALL", "close", "++", ""},
		{"PREPARE p (int) AS SELECT ')' AS \"as\" FROM secrets", "prepare", "-+", "node=p prepares= SELECT ')' AS \"as\" FROM secrets"},
		{"EXECUTE p(1)", "execute", "-+", "node=p"},
		{"DEALLOCATE p", "deallocate", "++", "node=p"},
		{"DEALLOCATE ALL", "deallocate", "++", ""},
		{"BEGIN", "begin", "++", ""},
		{"COMMIT AND CHAIN", "commit", "++", ""},
		{"ROLLBACK", "rollback", "++", ""},
		{"SAVEPOINT s", "savepoint", "++", "node=s"},
		{"RELEASE s", "release", "++", "node=s"},
		{"ROLLBACK TO s", "rollback to", "++", "node=s"},
		{"PREPARE TRANSACTION 'x'", "prepare transaction", "-+", "node=x"},
		{"COMMIT PREPARED 'x'", "commit prepared", "-+", "node=x"},
		{"ROLLBACK PREPARED 'x'", "rollback prepared", "-+", "node=x"},
		{"SET application_name = 'x'", "set", "++", "set=application_name"},
		{"SET TimeZone TO 'UTC'", "set", "++", "set=timezone"},
		{"SET work_mem = '1GB'", "set", "-+", "set=work_mem"},
		{"SET LOCAL search_path = a, b", "set", "-+", "set=search_path path"},
		{"SET search_path = public", "set", "++", "set=search_path path"},
		{"SET ROLE bob", "set", "-+", "set=role path"},
		{"SET SESSION AUTHORIZATION bob", "set", "-+", "set=session_authorization path"},
		{"SET standard_conforming_strings = off", "set", "--", "set=standard_conforming_strings"},
		{"SET client_encoding = 'LATIN1'", "set", "--", "set=client_encoding"},
		{"SET TRANSACTION READ ONLY", "set", "++", "set=transaction_read_only"},
		{"SET TRANSACTION SNAPSHOT 'x'", "set", "-+", "set=transaction_snapshot"},
		{"RESET timezone", "reset", "++", "set=timezone"},
		{"RESET ALL", "reset", "-+", "set=* path"},
		{"SELECT set_config('search_path', 'a', false)", "select", "-+", "set=search_path path"},
		{"SELECT set_config('standard_conforming_strings', 'off', false)", "select", "--", "set=standard_conforming_strings"},
		{"SELECT set_config(name, 'a', false) FROM orders", "select", "--", "set=* path"},
		{"SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'", "select", "-+", "set=* path"},
		{"SHOW ALL", "show", "++", ""},
		{"DISCARD ALL", "discard", "-+", "set=* path catalog"},
		{"DISCARD PLANS", "discard", "-+", ""},
		{"LISTEN c", "listen", "-+", "node=c"},
		{"UNLISTEN *", "unlisten", "-+", ""},
		{"NOTIFY c, 'x'", "notify", "-+", "node=c"},
		{"LOCK TABLE orders IN ACCESS SHARE MODE", "lock", "++", ""},
		{"LOCK orders", "lock", "-+", ""},
		{"TRUNCATE orders", "truncate", "-+", ""},
		{"SELECT lo_create(0)", "select", "-+", ""},
		{"SELECT lo_import('/x')", "select", "-+", "path catalog opaque"},
		{"DO 'BEGIN END'", "do", "-+", "path catalog opaque"},
		{"CALL f(1)", "call", "-+", "path catalog"},
		{"CREATE TABLE t AS SELECT 1", "create table as", "-+", "catalog"},
		{"SELECT 1 INTO t", "create table as", "-+", "catalog"},
		{"CREATE TABLE t AS EXECUTE p", "create table as", "-+", "node=p path catalog opaque"},
		{"CREATE VIEW v AS SELECT 1", "create view", "-+", "catalog"},
		{"CREATE MATERIALIZED VIEW v AS SELECT 1", "create materialized view as", "-+", "catalog"},
		{"REFRESH MATERIALIZED VIEW v", "refresh materialized view", "-+", ""},
		{"CREATE TABLE t (a int DEFAULT f())", "create table", "-+", "catalog"},
		{"ALTER TABLE t ADD b int", "alter table", "-+", "catalog"},
		{"DROP TABLE t", "drop table", "-+", "catalog"},
		{"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "create function", "-+", "catalog"},
		{"CREATE SCHEMA s CREATE TABLE t (a int)", "create schema", "-+", "catalog"},
		{"GRANT SELECT ON orders TO bob", "grant", "-+", ""},
		{"REVOKE SELECT ON orders FROM bob", "revoke", "-+", ""},
		{"CREATE ROLE bob", "create role", "-+", "catalog"},
		{"ALTER SYSTEM SET work_mem = '1GB'", "alter system", "-+", "set=work_mem path catalog opaque"},
		{"ALTER SYSTEM SET standard_conforming_strings = off", "alter system", "--", "set=standard_conforming_strings path catalog opaque"},
		{"ALTER ROLE bob SET search_path = a", "alter role set", "-+", "set=search_path catalog"},
		{"COMMENT ON TABLE orders IS 'x'", "comment", "-+", ""},
		{"SECURITY LABEL ON TABLE orders IS 'x'", "security label", "-+", ""},
		{"VACUUM orders", "vacuum", "-+", ""},
		{"ANALYZE orders", "analyze", "-+", ""},
		{"REINDEX TABLE orders", "reindex", "-+", ""},
		{"CLUSTER orders", "cluster", "-+", ""},
		{"CHECKPOINT", "checkpoint", "-+", ""},
		{"LOAD 'x'", "load", "-+", "path catalog opaque"},
		{"CREATE EXTENSION x", "create extension", "-+", "path catalog opaque"},
		{"IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "import foreign schema", "-+", "path catalog opaque"},
		{"SET CONSTRAINTS ALL DEFERRED", "set constraints", "-+", ""},
		{"UPDATE pg_settings SET setting = 'x'", "update", "--", ""},
		{"SELEC 1", "", "--", ""},
	} {
		read := sql.Read(test.text, sql.Session{Unrestricted: true})
		if len(read) != 1 {
			t.Errorf("%s: %d statements", test.text, len(read))
			continue
		}
		s := read[0]
		if s.Action.Kind != test.kind {
			t.Errorf("%s is %q, want %q", test.text, s.Action.Kind, test.kind)
		}
		if got := facts(s); got != test.facts {
			t.Errorf("%s: %q, want %q", test.text, got, test.facts)
		}
		got := mark(ordinary.Decide(classify(test.text)[0], policy.Context{})) + mark(unrestricted.Decide(s.Action, policy.Context{}))
		if got != test.grants {
			t.Errorf("%s: grants %q, want %q: %s", test.text, got, test.grants, s.Action.Unknown)
		}
	}
}

func facts(s sql.Statement) string {
	var out []string
	note := func(is bool, what string) {
		if is {
			out = append(out, what)
		}
	}
	note(s.Node != "", "node="+s.Node)
	note(s.Prepares != "", "prepares="+s.Prepares)
	note(len(s.Action.Settings) > 0, "set="+strings.Join(s.Action.Settings, ","))
	note(s.Action.HasLimit, "limit")
	note(s.MovesPath, "path")
	note(s.MovesCatalog, "catalog")
	note(s.Action.Opaque != "", "opaque")
	return strings.Join(out, " ")
}

func mark(d policy.Decision) string {
	if d.Effect == v1alpha1.EffectAllow {
		return "+"
	}
	return "-"
}
