package sql_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// smallCatalog has people (id, name, email), orders (id, who, note), and functions.
func smallCatalog() *catalog.Snapshot {
	relation := func(oid uint32, schema, name string, columns ...string) *catalog.Relation {
		r := &catalog.Relation{OID: oid, Name: catalog.Name{Schema: schema, Name: name}, Kind: 'r'}
		for i, column := range columns {
			r.Columns = append(r.Columns, catalog.Column{Number: int16(i + 1), Name: column, Generated: column == "made"})
		}
		return r
	}
	function := func(oid uint32, schema, name string, arguments int) *catalog.Function {
		return &catalog.Function{OID: oid, Name: catalog.Name{Schema: schema, Name: name}, Arguments: arguments, Volatility: "volatile", Language: "c", Kind: 'f'}
	}
	return catalog.New(1, "pg_temp_4", []*catalog.Relation{
		relation(1, "public", "people", "id", "name", "email"),
		relation(2, "public", "orders", "id", "who", "note"),
		relation(3, "first", "orders", "id", "secret"),
		relation(4, "pg_temp_4", "hidden", "x"),
		relation(5, "public", "hidden", "y"),
		relation(6, "public", "computed", "a", "made", "b"),
	}, []*catalog.Function{
		function(10, "public", "wipe", 1), function(11, "public", "lower", 2), function(12, "first", "upper", 1), function(13, "public", "same", 2),
	}, []*catalog.Operator{{Schema: "public", Symbol: "===", Function: 13}})
}

func TestPG9_ColumnsAreFollowedFromTheirTableToTheirUse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, columns, outputs string }{
		{"SELECT name FROM people", "output name", "=name"},
		{"SELECT * FROM people p", "output email, output id, output name", "=id =name =email"},
		{"SELECT p.* FROM orders o, people p WHERE o.who = p.id", "filter orders.who, output email, filter id, output id, output name", "=id =name =email"},
		{"SELECT upper(name) || email FROM people", "output email, output name", "name+email"},
		{"SELECT name FROM people WHERE email = 'x'", "filter email, output name", "=name"},
		{"SELECT count(*) FROM people", "", "-"},
		{"SELECT b FROM (SELECT id, email FROM people) s (a, b) WHERE a = 1", "output email, filter id", "=email"},
		{"SELECT p FROM people p", "output *", "*"},
		{"SELECT (p).email, email(p) FROM people p", "output *, output email", "=email *"},
		{"SELECT people.ctid FROM people", "output ctid", "=ctid"},
		{"SELECT x FROM people", "output *", "*"},
		{"SELECT name FROM people UNION ALL SELECT note FROM orders", "output orders.note, output name", "name+orders.note"},
		{"SELECT 1 FROM people ORDER BY email", "filter email", "-"},
		{"SELECT email AS e FROM people ORDER BY e LIMIT 1", "filter email, output email", "=email"},
		{"SELECT id FROM people JOIN orders USING (id)", "filter orders.id, output orders.id, filter id, output id", "id+orders.id"},
		{"SELECT u.id, email FROM people JOIN orders USING (id) AS u", "filter orders.id, output orders.id, output email, filter id, output id", "id+orders.id =email"},
		{"SELECT note FROM people NATURAL JOIN orders", "filter orders.id, output orders.note, filter id", "=orders.note"},
		{"SELECT j.e FROM (people JOIN orders ON note = name) AS j (a, b, e)", "filter orders.note, output email, filter name", "=email"},
		{"SELECT (SELECT max(email) FROM people WHERE id = who) FROM orders", "filter orders.who, output email, filter id", "email"},
		{"SELECT EXISTS (SELECT email FROM people WHERE id = who) FROM orders", "filter orders.who, output email, filter id", "-"},
		{"WITH p AS (SELECT email AS x FROM people) SELECT x, 1 FROM p", "output email", "=email -"},
		{"WITH RECURSIVE t (a, b) AS (SELECT id, '' FROM people UNION ALL SELECT a, email FROM t, people WHERE a = id) SELECT b FROM t", "output email, filter id", "email"},
		{"WITH RECURSIVE a AS (SELECT x FROM b), b AS (SELECT email AS x FROM people) SELECT x FROM a", "output email", "=email"},
		{"SELECT rank() OVER (PARTITION BY name ORDER BY email) FROM people", "filter email, filter name", "-"},
		{"SELECT count(*) FILTER (WHERE email = 'x') FROM people GROUP BY name HAVING max(id) > 1", "filter email, filter id, filter name", "-"},
		{"SELECT wipe(email) FROM people", "call email, output email", "email"},
		{"SELECT people.wipe FROM people", "call *, output *", "*"},
		{"SELECT email === 'x' FROM people", "call email, output email", "email"},
		{"SELECT lower(email), lower(email, 'x') FROM people", "call email, output email", "email email"},
		{"UPDATE people SET name = email WHERE id = 1 RETURNING old.email, new.name", "copy email, output email, filter id, output name, write name", "=email =name"},
		{"UPDATE orders SET note = s.x FROM (SELECT email AS x FROM people) s", "write orders.note, copy email", ""},
		{"INSERT INTO orders (note) SELECT email FROM people", "write orders.note, copy email", ""},
		{"INSERT INTO orders VALUES (1, 2)", "write orders.id, write orders.who", ""},
		{"INSERT INTO orders (id, note) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET note = excluded.note", "filter orders.id, write orders.id, write orders.note", ""},
		{"INSERT INTO orders (id, note) SELECT id, email FROM people ON CONFLICT (id) DO UPDATE SET who = excluded.note WHERE orders.who = 1", "filter orders.id, write orders.id, write orders.note, filter orders.who, write orders.who, copy email, copy id", ""},
		{"DELETE FROM orders USING people p WHERE who = p.id RETURNING *", "output orders.id, output orders.note, filter orders.who, output orders.who, output email, filter id, output id, output name", "=orders.id =orders.who =orders.note =id =name =email"},
		{"MERGE INTO orders o USING people p ON o.who = p.id WHEN MATCHED AND p.name = 'x' THEN UPDATE SET note = p.email WHEN NOT MATCHED THEN INSERT (id, note) VALUES (p.id, '')",
			"write orders.id, write orders.note, filter orders.who, copy email, copy id, filter id, filter name", ""},
		{"COPY people (id, email) TO STDOUT", "output email, output id", "=id =email"},
		{"COPY computed TO STDOUT", "output computed.a, output computed.b", "=computed.a =computed.b"},
		{"COPY people TO PROGRAM 'x'", "copy email, output email, copy id, output id, copy name, output name", ""},
		{"DECLARE c CURSOR FOR SELECT email FROM people", "output email", "=email"},
		{"EXPLAIN SELECT email FROM people", "output email", "-"},
		{"CREATE TABLE t AS SELECT email FROM people", "copy email", ""},
		{"ALTER TABLE people RENAME email TO x", "copy *", ""},
		{"SELECT * FROM jsonb_each((SELECT to_jsonb(p) FROM people p)) AS e", "filter *, output *", "* *"},
		{"SELECT x FROM people, unnest(ARRAY[email]) x", "filter email, output email", "email"},
		{"SELECT regexp_matches(email, 'a', 'g') FROM people", "filter email, output email", "email"},
		{"SELECT k.* FROM people, LATERAL (SELECT email, id + 1) k", "output email, output id", "=email id"},
		{"SELECT email FROM people p, orders o, LATERAL (SELECT o.note || p.email AS email) l (y)", "output orders.note, output email", "=email"},
		{"SELECT CASE WHEN email = 'x' THEN 1 END FROM people", "output email", "email"},
		{"SELECT CASE WHEN email = 'x' THEN nextval('n') END FROM people", "call email, output email", "email"},
		{"SELECT coalesce(email, wipe('')), email = 'x' AND pg_sleep(1) IS NULL FROM people", "call email, output email", "email email"},
		{"SELECT DISTINCT email FROM people", "filter email, output email", "=email"},
		{"SELECT max(name) FROM people GROUP BY 1", "filter name, output name", "name"},
	} {
		session := sql.Session{Catalog: smallCatalog(), SearchPath: []string{"pg_catalog", "public"}, Unrestricted: true}
		read := sql.Read(test.text, session)
		if len(read) != 1 || read[0].Action.Unknown != "" {
			t.Errorf("%s: %+v", test.text, read)
			continue
		}
		name := func(relation, column string) string {
			if relation == "people" {
				return column
			}
			return relation + "." + column
		}
		var columns, outputs []string
		for _, c := range read[0].Action.Columns {
			columns = append(columns, string(c.Use)+" "+name(c.Relation, c.Column))
		}
		for _, o := range read[0].Outputs {
			var from []string
			for _, c := range o.Columns {
				from = append(from, name(c.Relation, c.Column))
			}
			text := strings.Join(from, "+")
			if o.Plain {
				text = "=" + text
			}
			if text == "" {
				text = "-"
			}
			outputs = append(outputs, text)
		}
		if diff := cmp.Diff(test.columns, strings.Join(columns, ", ")); diff != "" {
			t.Errorf("%s\ncolumns (-want +got):\n%s", test.text, diff)
		}
		if diff := cmp.Diff(test.outputs, strings.Join(outputs, " ")); diff != "" {
			t.Errorf("%s\noutputs (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestPG7_NamesMeanWhatTheSearchPathSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, path string
		want       string
	}{
		{"SELECT * FROM orders", "pg_catalog public", "public.orders"},
		{"SELECT * FROM orders", "pg_catalog first public", "first.orders"},
		{"SELECT * FROM public.orders", "pg_catalog first public", "public.orders"},
		{"SELECT * FROM hidden", "pg_temp_4 pg_catalog public", "pg_temp_4.hidden"},
		{"SELECT * FROM hidden", "pg_catalog public", "pg_temp_4.hidden"},
		{"SELECT * FROM pg_temp.hidden", "pg_catalog public", "pg_temp_4.hidden"},
		{"SELECT * FROM nothing", "pg_catalog first public", "first.nothing"},
		{"SELECT * FROM pg_class", "pg_catalog first public", "pg_catalog.pg_class"},
		{"SELECT wipe(1)", "pg_catalog public", "f:public.wipe"},
		{"SELECT wipe(1, 2)", "pg_catalog public", "f:public.wipe"},
		{"SELECT lower('x')", "pg_catalog public", ""},
		{"SELECT lower('x', 'y')", "pg_catalog public", "f:public.lower"},
		{"SELECT pg_catalog.lower('x', 'y')", "pg_catalog public", ""},
		{"SELECT upper('x')", "pg_catalog public", ""},
		{"SELECT upper('x')", "pg_catalog first", "f:first.upper"},
		{"SELECT 1 === 2", "pg_catalog public", "f:public.same"},
		{"SELECT 1 === 2", "pg_catalog first", ""},
		{"SELECT pg_unheard(1)", "pg_catalog first", "f:pg_catalog.pg_unheard"},
		{"SELECT any_value(1)", "pg_catalog public", ""},
		{"SELECT unheard(1)", "pg_catalog first", "f:first.unheard"},
	} {
		session := sql.Session{Catalog: smallCatalog(), SearchPath: strings.Fields(test.path), Unrestricted: true}
		a := sql.Read(test.text, session)[0].Action
		var got []string
		for _, access := range a.Access {
			got = append(got, access.Schema+"."+access.Name)
		}
		for _, f := range a.Functions {
			got = append(got, "f:"+f)
		}
		if strings.Join(got, " ") != test.want || a.Unknown != "" {
			t.Errorf("%s with %s: %v, want %s (%s)", test.text, test.path, got, test.want, a.Unknown)
		}
	}
}
