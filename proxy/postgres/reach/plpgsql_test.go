package reach

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// FuzzPLpgSQL looks for a body that crashes the C parser, takes long, or comes out neither read
// nor refused.
func FuzzPLpgSQL(f *testing.F) {
	for _, body := range bodies {
		f.Add(body.text)
	}
	in := sql.Session{Catalog: catalog.New(1, "", nil, nil, nil), SearchPath: []string{"public"}}
	f.Fuzz(func(t *testing.T, text string) {
		var b body
		start := time.Now()
		b.plpgsql(function(text), in)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		if b.opaque != "" && b.statements != nil {
			t.Error("it is opaque, and yet has statements")
		}
	})
}

func function(text string) string {
	return "CREATE OR REPLACE FUNCTION public.f(a integer)\n RETURNS integer\n LANGUAGE plpgsql\nAS $function$" + text + "$function$\n"
}

var bodies = []struct{ text, opaque string }{
	{"BEGIN RETURN 1; END", ""},
	{"DECLARE r orders%ROWTYPE; BEGIN r.id := 1; RETURN r.id; END", ""},
	{"DECLARE r public.orders %ROWTYPE; q orders.id%TYPE; BEGIN r.id := 1; RETURN r.id; END", ""},
	{"DECLARE r orders%ROWTYPE := (SELECT o FROM orders o LIMIT 1); BEGIN RETURN 1; END", "first value"},
	{"DECLARE r record := (SELECT o FROM orders o LIMIT 1); BEGIN RETURN 1; END", "first value"},
	{"BEGIN EXECUTE 'DELETE FROM orders'; RETURN 1; END", "EXECUTE"},
	{"DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP NULL; END LOOP; RETURN 1; END", "EXECUTE"},
	{"DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE 'SELECT 1'; RETURN 1; END", "EXECUTE"},
	{"BEGIN COMMIT; RETURN 1; END", "ends transactions"},
	{"BEGIN CREATE TABLE x (a int); RETURN 1; END", "CREATE TABLE"},
	{"BEGIN SET search_path = other; RETURN 1; END", "SET"},
	{"BEGIN PERFORM set_config('search_path', 'other', true); RETURN 1; END", "sets search_path"},
	{"BEGIN RETURN query_to_xml('SELECT 1', true, true, ''); END", "query_to_xml"},
	{"DECLARE a int[]; BEGIN a[(SELECT 1)] := 5; a[1] = 2; a := '{1}'; RETURN a[1]; END", ""},
	{"BEGIN <<x>> LOOP EXIT x WHEN a = 1; END LOOP; RETURN CASE a WHEN 1 THEN 2 ELSE 3 END; END", ""},
	{"this is no body", "looked into"},
	{"BEGIN RETURN 1; END; DROP TABLE orders;", "looked into"},
	{strings.Repeat("BEGIN NULL; ", 9000) + strings.Repeat("END; ", 9000), "looked into"},
	{"BEGIN " + strings.Repeat("IF a = 1 THEN NULL; ", 9000) + strings.Repeat("END IF; ", 9000) + "RETURN 1; END", "looked into"},
	{"BEGIN RETURN " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + "; END", "looked into"},
}

func TestPG7_BodiesOfPLpgSQLAreReadOrSaidToBeOutOfSight(t *testing.T) {
	t.Parallel()
	orders := &catalog.Relation{OID: 20000, Name: catalog.Name{Schema: "public", Name: "orders"}, Kind: 'r', Columns: []catalog.Column{{Number: 1, Name: "id"}}}
	in := sql.Session{Catalog: catalog.New(1, "", []*catalog.Relation{orders}, nil, nil), SearchPath: []string{"public"}, Unrestricted: true}
	for _, test := range bodies {
		var b body
		b.plpgsql(function(test.text), in)
		if test.opaque == "" && b.opaque != "" || !strings.Contains(b.opaque, test.opaque) {
			t.Errorf("%.80s: opaque %q, want %q", test.text, b.opaque, test.opaque)
		}
	}
}
