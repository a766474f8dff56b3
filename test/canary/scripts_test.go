package canary

import (
	"fmt"
	"strings"
)

// script is statements that belong together. Several run in a transaction, which is
// rolled back or, where that is gated, committed.
type script struct {
	steps  []string
	commit bool
	// reads change nothing, and need no transaction.
	reads bool
	// simple statements have no extended form that would be any use.
	simple bool
}

// script of any sort.
func (g *grammar) script() script {
	switch n := g.IntN(100); {
	case n < 42:
		_, query := g.query(3, nil)
		return script{steps: []string{query}, reads: true}
	case n < 50:
		return script{steps: []string{g.wide()}, reads: true}
	case n < 58:
		return script{steps: []string{g.copyOut()}, simple: true, reads: true}
	case n < 64:
		return g.cursor()
	case n < 76:
		return g.change()
	case n < 88:
		return g.failing()
	case n < 92:
		_, query := g.query(2, nil)
		options := pick(g, []string{"", "ANALYZE ", "(ANALYZE, VERBOSE) ", "(VERBOSE, FORMAT JSON) ", "(ANALYZE, VERBOSE, FORMAT XML) ", "(COSTS OFF) "})
		return script{steps: []string{"EXPLAIN " + options + query}, reads: true}
	case n < 97:
		return g.around()
	default:
		return g.setting()
	}
}

// wide brings whole rows of a relation.
func (g *grammar) wide() string {
	r := pick(g, relations)
	var name string
	if only, ok := strings.CutPrefix(r.name, "only "); ok {
		return "SELECT * FROM ONLY " + only
	}
	name = r.name
	return fmt.Sprintf(pick(g, []string{
		"SELECT * FROM %s", "TABLE %s", "SELECT p.* FROM %s AS p", "SELECT p FROM %s AS p", "SELECT (p).* FROM %s AS p", "SELECT row_to_json(p) FROM %s p", "SELECT to_jsonb(p) FROM %s p",
		"SELECT (x).* FROM (SELECT p AS x FROM %s p) s", "SELECT json_agg(p) FROM %s p", "SELECT array_agg(p) FROM %s p", "SELECT p::text FROM %s p", "SELECT * FROM (SELECT * FROM %s) s, city",
		"SELECT * FROM %s AS p NATURAL JOIN city AS q", "WITH w AS (TABLE %s) SELECT * FROM w", "SELECT *, p.* FROM %s p", "SELECT j.* FROM %s p, jsonb_each_text(to_jsonb(p)) j",
		"SELECT r.* FROM %s p, LATERAL (SELECT p.*) r", "SELECT COALESCE(p, p) FROM %s p", "SELECT ROW(p.*) FROM %s p", "SELECT * FROM %s p LEFT JOIN LATERAL (SELECT p.*) q ON true",
		"(TABLE %s LIMIT 5) UNION ALL (TABLE %[1]s OFFSET 5)", "SELECT q FROM (SELECT * FROM %s) q", "SELECT DISTINCT ON (1) id, p.* FROM %s p", "SELECT p.*, count(*) OVER () FROM %s p",
		"SELECT tableoid::regclass, ctid, p.* FROM %s p", "SELECT json_populate_record(p, '{}') FROM %s p", "SELECT jsonb_populate_record(NULL::person, to_jsonb(p)) FROM %s p",
		"SELECT * FROM %s TABLESAMPLE SYSTEM (100)", "SELECT x.* FROM ROWS FROM (generate_series(1, 3)) g, %s x", "SELECT * FROM %s FOR SHARE", "SELECT (SELECT p) FROM %s p",
	}), name)
}

func (g *grammar) copyOut() string {
	source := ""
	switch g.IntN(3) {
	case 0:
		r := pick(g, relations[3:])
		source = strings.TrimPrefix(r.name, "only ")
		if g.one(2) {
			source += "(" + pick(g, r.columns).name + ")"
		}
	default:
		_, query := g.query(2, nil)
		if g.one(4) {
			query = g.wide()
		}
		source = "(" + query + ")"
	}
	return "COPY " + source + " TO STDOUT " + pick(g, []string{
		"", "(FORMAT csv)", "(FORMAT csv, HEADER)", "(FORMAT binary)", "WITH CSV FORCE QUOTE *", "(FORMAT csv, DELIMITER ';', QUOTE '''')", "(DELIMITER '|', NULL 'nil')", "BINARY",
		"(FORMAT text, ENCODING 'LATIN1')", "(FORMAT csv, ESCAPE '\\')", "(FREEZE)",
	})
}

func (g *grammar) cursor() script {
	_, query := g.query(2, nil)
	if g.one(3) {
		query = g.wide()
	}
	hold := ""
	if g.one(4) {
		hold = "WITH HOLD "
	}
	s := script{steps: []string{
		"DECLARE cur " + pick(g, []string{"", "BINARY ", "NO SCROLL ", "SCROLL "}) + "CURSOR " + hold + "FOR " + query,
		"FETCH 3 FROM cur", pick(g, []string{"FETCH ALL FROM cur", "FETCH FORWARD 5 FROM cur", "MOVE 2 FROM cur", "FETCH NEXT FROM cur", "EXPLAIN FETCH ALL FROM cur"}), "FETCH 4 cur",
	}}
	if g.one(3) {
		s.steps = append(s.steps, "CLOSE cur", "DECLARE cur CURSOR FOR "+g.wide(), "FETCH ALL FROM cur")
	}
	return s
}

// change is writes with what they return.
func (g *grammar) change() script {
	returning := func(alias, name string) string {
		r := relations[0]
		for _, other := range relations {
			if other.name == name {
				r = other
			}
		}
		from := []source{{alias, r.columns}}
		var list []string
		for range 1 + g.IntN(3) {
			list = append(list, g.any(from, 2))
		}
		if g.one(3) {
			list = []string{pick(g, []string{"*", alias + ".*", alias, "row_to_json(" + alias + ")"})}
		}
		return " RETURNING " + strings.Join(list, ", ")
	}
	k := 1 + g.IntN(people)
	name := pick(g, []string{"person", "invoice", "payment", "refund", "loud"})
	key := map[string]string{"person": "id", "invoice": "id", "payment": "amount", "refund": "id", "loud": "id"}[name]
	where := fmt.Sprintf(" WHERE u.%s %s %d", key, pick(g, []string{"=", "<=", ">="}), k)
	steps := []string{pick(g, []string{
		fmt.Sprintf("UPDATE %s AS u SET %s = u.%[2]s%s%s", name, key, where, returning("u", name)),
		fmt.Sprintf("UPDATE person AS u SET region = 'elsewhere', pin = DEFAULT WHERE u.id < %d%s", k, returning("u", "person")),
		fmt.Sprintf("DELETE FROM %s AS u%s%s", name, where, returning("u", name)),
		"INSERT INTO refund AS u (id, note) VALUES (901, 'new')" + returning("u", "refund"),
		fmt.Sprintf("INSERT INTO person AS u (id, name, pin) VALUES (%d, 'again', 9) ON CONFLICT (id) DO UPDATE SET name = u.name || '!'%s", k, returning("u", "person")),
		fmt.Sprintf("INSERT INTO payment AS u VALUES ('known', 1) ON CONFLICT DO NOTHING%s", returning("u", "payment")),
		fmt.Sprintf("UPDATE invoice AS u SET note = p.name FROM person p WHERE p.id = u.person AND u.id < %d%s, p.email, p", k, returning("u", "invoice")),
		fmt.Sprintf("WITH gone AS (DELETE FROM refund AS u WHERE u.id < %d RETURNING *) SELECT * FROM gone, person LIMIT 40", k),
		fmt.Sprintf("WITH u AS (UPDATE person AS u SET grp = 77 WHERE u.id = %d RETURNING u.*) SELECT row_to_json(u) FROM u", k),
		fmt.Sprintf("MERGE INTO invoice AS u USING person AS p ON u.id = p.id AND p.id < %d WHEN MATCHED THEN UPDATE SET note = p.name", k),
		"MERGE INTO person AS u USING city AS c ON u.id = c.id WHEN MATCHED THEN UPDATE SET region = 'm'" + pick(g, []string{"", " RETURNING u.*", " RETURNING merge_action(), old.email, new.card, u.phone"}),
		fmt.Sprintf("UPDATE person AS u SET name = 'z' WHERE u.id < %d RETURNING old.email, new.phone, old.*, new", k),
		fmt.Sprintf("UPDATE loud AS u SET note = note || '.' WHERE u.id = %d%s", k, returning("u", "loud")),
		fmt.Sprintf("UPDATE invoice SET id = id + 100 WHERE id = %d RETURNING *", k),
	})}
	if g.one(2) {
		steps = append(steps, "SELECT * FROM person WHERE id < 5", "UPDATE person SET name = name WHERE id < 9")
	}
	return script{steps: steps, commit: g.one(3)}
}

// failing makes the target speak of values.
func (g *grammar) failing() script {
	r := pick(g, relations)
	from := []source{{"f", r.columns}}
	if g.one(2) {
		expression := g.fill(pick(g, []string{
			"(%t)::int", "(%t)::uuid", "(%t)::date", "(%t)::numeric", "(%t)::json", "(%t)::inet", "(%t)::bytea", "(%t)::xml", "(%t)::bool", "(%t)::regclass", "(%t)::point", "(%t)::interval", "(%t)::bigint[]",
			"(%n)::int", "(%n)::smallint", "1 / ((%n)::bigint - (%n)::bigint)", "(%n)::numeric(3, 1)", "power((%n)::numeric, 5000)", "decode(%t, 'hex')", "decode(%t, 'base64')", "%t ~ (%t || '(')", "regexp_replace(%t, '[', '')",
			"to_date(%t, 'YYYY-MM-DD')", "to_timestamp(%t, 'YYYY')", "to_number(%t, '99')", "convert_from(%y, 'UTF8')", "(%t)::tsquery", "(%t)::secret", "(%t)::address", "jsonb_set(%j, '{a,b', '1')", "(%j)::bigint",
			"chr((%n)::int)", "substring(%t, 1, (%n)::int)", "repeat(%t, 900000000)", "(%t)::regtype", "xmlparse(DOCUMENT %t)", "xpath(%t, %x)", "format('%%s %%s', %t)", "format(%t || '%%z')", "(%t)::cidr", "(%t)::char(3)::int",
			"(SELECT email FROM person)", "(SELECT f2.* FROM person f2)::text", "lower(%t) COLLATE \"nope\"", "array_fill(%t, ARRAY[(%n)::int])", "(%t)::jsonpath", "(%t)::macaddr", "(%t)::pg_lsn", "(%t)::name::oid", "make_date((%n)::int, 1, 1)",
			"to_char(%t::timestamp, 'Y')", "(%t)::timestamp", "(%t)::money", "(%t)::bit(8)", "ARRAY[%t]::int[]", "jsonb_path_query(%j, %t::jsonpath)", "set_config('app.x', %t, true)", "pg_notify('news', %t)", "setseed(%n)",
			"shout(%t)", "fail(%t)", "mail_of(%k)", "mail_quietly(%k)", "joined(%t)", "%t === %t", "taken(%c)", "twice(%k)", "(SELECT p FROM people() p LIMIT 1)", "query_to_xml('select * from person', true, true, '')", "current_setting(%t)",
			"lo_from_bytea(0, %y)", "pg_read_file(%t)", "dblink(%t)", "to_regclass(%t)", "ts_stat(%t)", "raise_notice(%t)", "pg_sleep(%n / 1e30)", "json_to_recordset(%j)", "nextval(%t)", "has_table_privilege(%t, 'x')",
			"%t % %n", "%t + 1", "- %t", "%j + 1", "%a[%t]", "(%c).nope", "%w.nope", "array_position(%m, %t)",
		}), from, 2)
		return script{steps: []string{"SELECT " + expression + " FROM " + r.name + " AS f" + pick(g, []string{"", " LIMIT 7", " WHERE id = 3"})}}
	}
	k := 1 + g.IntN(people)
	return script{steps: []string{pick(g, []string{
		"UPDATE person SET grp = 1", "UPDATE person SET region = 'nowhere'", "UPDATE person SET pin = 0", "UPDATE person SET name = NULL", "UPDATE person SET city = 99", "UPDATE person SET region = 'much too long for this column, really'",
		"UPDATE person SET email = 'forbidden'", "UPDATE person SET word = 'forbidden'", "UPDATE invoice SET amount = -1", "UPDATE invoice_1 SET amount = 1", "UPDATE invoice SET id = 900", "UPDATE invoice_1 SET id = 150", "UPDATE invoice SET id = id + 1",
		"UPDATE payment SET iban = 'moved'", "DELETE FROM payment", fmt.Sprintf("DELETE FROM payment WHERE amount = %d", k), "UPDATE refund SET iban = 'nobody'", "INSERT INTO refund VALUES (1, 'nobody', 'n')",
		"UPDATE loud SET note = 'fail'", "UPDATE loud SET note = 'x'", "INSERT INTO person SELECT * FROM person", "INSERT INTO sink SELECT id, email FROM person", "INSERT INTO sink (note) SELECT note FROM sink",
		fmt.Sprintf("INSERT INTO person (id, name) VALUES (%d, 'twice')", k), fmt.Sprintf("INSERT INTO person_old (id, name) VALUES (%d, NULL)", k), "UPDATE person SET cards[200000000000] = 1", "UPDATE person SET id = id + 1",
		"UPDATE person SET email = phone", "UPDATE person SET name = email", "UPDATE person SET name = (SELECT phone FROM person LIMIT 1)", "UPDATE city SET name = (SELECT email FROM person LIMIT 1) WHERE id = 1 RETURNING name",
		"INSERT INTO person (id, name, email) SELECT id, name, email FROM person ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.email RETURNING name", "UPDATE person SET (name, region) = (SELECT 'a', word FROM person LIMIT 1)",
		"COPY sink FROM STDIN", "COPY person FROM STDIN", "COPY person (id, name) FROM STDIN", "COPY refund (id, note) FROM STDIN (FORMAT csv)", "DELETE FROM city", "TRUNCATE payment",
		"UPDATE person SET profile = profile || '{' WHERE id = 1", "UPDATE person SET card = card * 10000000000", "SELECT * FROM person WHERE id = 'x'", "SELECT nope FROM person", "SELECT email FROM nope", "SELECT FROM person WHERE",
		"UPDATE person SET id = 1 WHERE id = 2 RETURNING *", "ALTER TABLE person ADD CHECK (length(email) > 999)", "ALTER TABLE person ALTER email TYPE int USING email::int", "CREATE UNIQUE INDEX ON person ((1))", "CREATE INDEX ON person ((email::int))",
	})}, simple: true}
}

// around is what leads around masks, if it is not refused.
func (g *grammar) around() script {
	return script{steps: strings.Split(pick(g, []string{
		"DO $$ BEGIN RAISE NOTICE '%', (SELECT email FROM person LIMIT 1); END $$", "CALL work(1)", "CALL work((SELECT length(email) FROM person LIMIT 1))",
		"PREPARE p1 AS SELECT * FROM person;EXECUTE p1;DEALLOCATE p1", "PREPARE p2(text) AS SELECT $1;EXECUTE p2((SELECT email FROM person LIMIT 1));DEALLOCATE p2", "PREPARE p3 AS SELECT email, 1 FROM person;EXPLAIN ANALYZE EXECUTE p3;EXECUTE p3;DEALLOCATE ALL",
		"CREATE TABLE t1 AS SELECT * FROM person;SELECT * FROM t1", "SELECT email INTO t2 FROM person;TABLE t2", "CREATE TEMP TABLE t3 (e text);INSERT INTO t3 SELECT email FROM person;TABLE t3", "CREATE TEMP VIEW v1 AS SELECT email AS e FROM person;SELECT e FROM v1",
		"CREATE TEMP TABLE t4 AS EXECUTE p1", "CREATE TEMP TABLE t5 (LIKE person);INSERT INTO t5 TABLE person;TABLE t5", "CREATE TEMP TABLE person (email text);SELECT * FROM person;SELECT * FROM public.person",
		"CREATE MATERIALIZED VIEW m1 AS TABLE person;TABLE m1", "REFRESH MATERIALIZED VIEW person_kept;TABLE person_kept", "CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE sql AS 'SELECT email FROM person';SELECT pg_temp.f()",
		"ALTER TABLE person RENAME COLUMN email TO open;SELECT open FROM person", "ALTER TABLE person RENAME TO people2;TABLE people2", "ALTER TABLE person SET SCHEMA pg_temp;TABLE pg_temp.person", "ALTER VIEW person_view RENAME COLUMN mail TO x;SELECT x FROM person_view",
		"CREATE RULE r1 AS ON UPDATE TO city DO ALSO SELECT email FROM person;UPDATE city SET size = 1", "CREATE TABLE t6 () INHERITS (person);SELECT * FROM t6", "CREATE TRIGGER t7 BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION tell();UPDATE person SET grp = grp",
		"ALTER TABLE invoice DETACH PARTITION invoice_1;TABLE invoice_1", "ALTER TABLE person_old NO INHERIT person;TABLE person_old", "ALTER TABLE sink ADD COLUMN c text DEFAULT 'x';TABLE sink", "CREATE INDEX ON person ((email::int))",
		"SELECT * FROM pg_stats WHERE tablename = 'person'", "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats", "SELECT stavalues1::text FROM pg_statistic", "TABLE pg_stats_ext", "SELECT stxdmcv FROM pg_statistic_ext_data",
		"SELECT query FROM pg_stat_activity", "SELECT * FROM pg_cursors", "SELECT * FROM pg_prepared_statements", "SELECT * FROM information_schema.columns WHERE table_name = 'person'", "SELECT definition FROM pg_views", "SELECT * FROM pg_locks",
		"LISTEN news;UPDATE loud SET note = 'n' WHERE id = 1;NOTIFY news, 'hello'", "NOTIFY news, 'x'", "SELECT pg_notify('news', email) FROM person", "LOCK TABLE person", "ANALYZE VERBOSE person", "VACUUM VERBOSE person", "TRUNCATE person",
		"SELECT set_config('app.mail', email, true) FROM person LIMIT 1;SELECT current_setting('app.mail');SHOW app.mail", "SELECT set_config('app.mail', (SELECT max(email) FROM person), false);SHOW app.mail", "SET app.x = 'y';SHOW app.x;SHOW ALL",
		"SELECT table_to_xml('person', true, true, '')", "SELECT query_to_xml('SELECT email FROM person', true, true, '')", "SELECT database_to_xml(true, true, '')", "SELECT schema_to_xml('public', true, true, '')", "SELECT cursor_to_xml('cur', 10, true, true, '')",
		"SELECT ts_stat('SELECT to_tsvector(email) FROM person')", "SELECT lo_from_bytea(4711, raw) FROM person LIMIT 1;SELECT lo_get(4711)", "SELECT pg_relation_filepath('person')", "SELECT get_raw_page('person', 0)", "COPY person TO PROGRAM 'cat'", "COPY person TO '/tmp/x'",
		"SELECT mail_of(1)", "SELECT mail_quietly(1)", "SELECT * FROM people()", "SELECT joined(name) FROM person", "SELECT joined(email) FROM person", "SELECT shout(name) FROM person", "SELECT twice(id) FROM person", "SELECT email === name FROM person",
		"SELECT nextval('x')", "SET ROLE postgres", "SET SESSION AUTHORIZATION postgres", "SET search_path = pg_temp, public;TABLE person", "SET client_min_messages = debug5;SELECT email FROM person LIMIT 1", "SET debug_print_plan = on;SET client_min_messages = log;SELECT email FROM person LIMIT 1",
		"COMMENT ON TABLE person IS 'x'", "GRANT SELECT ON person TO PUBLIC", "REINDEX TABLE person", "CLUSTER person USING person_pkey", "SAVEPOINT a;UPDATE person SET grp = 1;ROLLBACK TO a;SELECT count(*) FROM person", "SET CONSTRAINTS ALL DEFERRED",
		"CREATE STATISTICS s1 ON grp, email FROM person", "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z", "SECURITY LABEL ON TABLE person IS 'x'", "LOAD 'auto_explain'", "CREATE EXTENSION pageinspect", "PREPARE TRANSACTION 'x'", "DISCARD ALL", "RESET ALL",
		"DECLARE c1 CURSOR FOR SELECT email FROM person;UPDATE person SET name = 'c' WHERE CURRENT OF c1 RETURNING *;FETCH c1", "ALTER TYPE address RENAME ATTRIBUTE street TO road;SELECT (home).road FROM person", "ALTER DOMAIN secret DROP CONSTRAINT secret_check",
		"DROP VIEW person_view CASCADE;CREATE VIEW person_view AS SELECT email AS name FROM person;SELECT name FROM person_view", "CREATE OR REPLACE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT email FROM person LIMIT 1); RETURN 1; END $$;SELECT twice(1)",
		"CREATE OR REPLACE VIEW person_short AS SELECT id AS number, name AS both, email AS label FROM person;SELECT label FROM person_short", "ALTER TABLE person ALTER COLUMN email TYPE varchar(90);SELECT email FROM person", "ALTER TABLE city ADD COLUMN e text;UPDATE city SET e = (SELECT email FROM person WHERE person.id = city.id);SELECT e FROM city",
	}), ";")}
}

// setting changes how values are written.
func (g *grammar) setting() script {
	query := g.wide()
	return script{steps: []string{
		pick(g, []string{
			"SET LOCAL bytea_output = 'escape'", "SET LOCAL DateStyle = 'German, DMY'", "SET LOCAL DateStyle = 'SQL, MDY'", "SET LOCAL extra_float_digits = -15", "SET LOCAL xmlbinary = 'hex'", "SET LOCAL client_encoding = 'LATIN1'",
			"SET LOCAL standard_conforming_strings = off", "SET LOCAL search_path = pg_catalog, public", "SET LOCAL IntervalStyle = 'iso_8601'", "SET LOCAL client_min_messages = debug5", "SET LOCAL TimeZone = 'Asia/Kabul'",
			"SET LOCAL enable_seqscan = off", "SET LOCAL application_name = 'x'", "SET LOCAL xmloption = document", "SET LOCAL array_nulls = off", "SET LOCAL quote_all_identifiers = on", "SET LOCAL transform_null_equals = on",
		}), query,
	}}
}
