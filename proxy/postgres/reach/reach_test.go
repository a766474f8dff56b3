package reach_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/reach"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

var path = []string{"pg_catalog", "public"}

func table(oid uint32, name string, columns ...string) *catalog.Relation {
	r := &catalog.Relation{OID: oid, Name: catalog.Name{Schema: "public", Name: name}, Kind: 'r'}
	for i, column := range columns {
		r.Columns = append(r.Columns, catalog.Column{Number: int16(i + 1), Name: column, Type: 25})
	}
	return r
}

func plpgsql(oid uint32, name, returns, body string) *catalog.Function {
	return &catalog.Function{OID: oid, Name: catalog.Name{Schema: "public", Name: name}, Language: "plpgsql", Volatility: "volatile", Kind: 'f',
		Body: "CREATE OR REPLACE FUNCTION public." + name + "()\n RETURNS " + returns + "\n LANGUAGE plpgsql\nAS $function$" + body + "$function$\n"}
}

// extend reads one statement and looks behind it.
func extend(t *testing.T, text string, relations []*catalog.Relation, functions ...*catalog.Function) sql.Statement {
	t.Helper()
	snapshot := catalog.New(1, "", relations, functions, nil)
	snapshot.Path = path
	statements := sql.Read(text, sql.Session{Catalog: snapshot, SearchPath: path})
	if len(statements) != 1 || statements[0].Action.Unknown != "" {
		t.Fatalf("%s: %+v", text, statements)
	}
	return reach.New(snapshot).Extend(statements[0], path)
}

func use(relation, column string, how policy.Use) policy.ColumnUse {
	return policy.ColumnUse{Schema: "public", Relation: relation, Column: column, Use: how}
}

func TestPG7_ATriggersFunctionReadsTheRow(t *testing.T) {
	t.Parallel()
	orders, audit := table(20000, "orders", "id", "email", "changed"), table(20001, "audit", "what")
	orders.Triggers = []catalog.Trigger{{Name: "t", Function: 30000, Events: "u", Enabled: true}}
	for name, test := range map[string]struct {
		body string
		want []policy.ColumnUse
	}{
		"one column":      {"BEGIN INSERT INTO audit VALUES (OLD.email); RETURN NEW; END", []policy.ColumnUse{use("audit", "what", "write"), use("orders", "email", "call")}},
		"the row":         {"BEGIN INSERT INTO audit VALUES (to_jsonb(NEW)); RETURN NEW; END", []policy.ColumnUse{use("audit", "what", "write"), use("orders", "*", "call")}},
		"through another": {"DECLARE r record; BEGIN r := NEW; INSERT INTO audit VALUES (r.email); RETURN NEW; END", []policy.ColumnUse{use("audit", "what", "write"), use("orders", "*", "call")}},
		"none":            {"BEGIN NEW.changed := now(); RETURN NEW; END", nil},
	} {
		s := extend(t, "UPDATE orders SET id = 1", []*catalog.Relation{orders, audit}, plpgsql(30000, "t", "trigger", test.body))
		want := append(test.want, use("orders", "id", "write"))
		if diff := cmp.Diff(want, s.Action.Columns); diff != "" || s.Action.Opaque != "" {
			t.Errorf("%s: %s columns (-want +got):\n%s", name, s.Action.Opaque, diff)
		}
		if len(test.want) > 0 && !strings.Contains(viaOf(s, "audit"), "trigger t on public.orders") {
			t.Errorf("%s: audit is reached by %q", name, viaOf(s, "audit"))
		}
		call := policy.Call{Function: "public.t", Volatility: "volatile", Via: "trigger t on public.orders"}
		if diff := cmp.Diff([]policy.Call{call}, s.Action.Calls); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", name, diff)
		}
	}
}

func TestAFunctionsVariablesAreNoColumns(t *testing.T) {
	t.Parallel()
	orders := table(20000, "orders", "id", "email")
	byName := &catalog.Function{OID: 30001, Name: catalog.Name{Schema: "public", Name: "g"}, Language: "sql", Volatility: "stable", Kind: 'f',
		Parameters: []string{"key"}, Arguments: 1, Body: "SELECT count(*) FROM orders WHERE id = key AND id = g.key"}
	for name, f := range map[string]*catalog.Function{
		"PL/pgSQL": plpgsql(30000, "f", "int", "DECLARE n text; r record; BEGIN SELECT o.id INTO r FROM orders o; SELECT id INTO n FROM orders WHERE id = n AND id = r.id; RETURN n; END"),
		"SQL":      byName,
	} {
		s := extend(t, "SELECT "+f.Name.Name+map[bool]string{true: "('1')", false: "()"}[f == byName], []*catalog.Relation{orders}, f)
		if diff := cmp.Diff([]policy.ColumnUse{use("orders", "id", "call")}, s.Action.Columns); diff != "" || s.Action.Opaque != "" {
			t.Errorf("%s: %s columns (-want +got):\n%s", name, s.Action.Opaque, diff)
		}
	}
}

func viaOf(s sql.Statement, relation string) string {
	for _, a := range s.Action.Access {
		if a.Name == relation {
			return a.Via
		}
	}
	return ""
}

func TestPG7_WhatCannotBeLookedIntoIsOpaqueAndNamed(t *testing.T) {
	t.Parallel()
	orders := table(20000, "orders", "id")
	in := func(language, volatility string) *catalog.Function {
		return &catalog.Function{OID: 30000, Name: catalog.Name{Schema: "public", Name: "f"}, Language: language, Volatility: volatility, Kind: 'f', Body: "SELECT 1"}
	}
	setting := in("sql", "volatile")
	setting.Settings = []string{"standard_conforming_strings"}
	for name, test := range map[string]struct {
		function *catalog.Function
		opaque   bool
	}{
		"SQL":                     {in("sql", "volatile"), false},
		"C, immutable":            {in("c", "immutable"), false},
		"C, stable":               {in("c", "stable"), true},
		"another language":        {in("plpython3u", "immutable"), true},
		"SQL made at run time":    {plpgsql(30000, "f", "int", "BEGIN EXECUTE 'x'; RETURN 1; END"), true},
		"a setting of the parser": {setting, true},
	} {
		s := extend(t, "SELECT f() FROM orders", []*catalog.Relation{orders}, test.function)
		if opaque := s.Action.Opaque != ""; opaque != test.opaque || len(s.Action.Calls) != 1 || s.Action.Calls[0].Opaque != test.opaque {
			t.Errorf("%s: opaque %q, calls %+v", name, s.Action.Opaque, s.Action.Calls)
		}
	}
}

func TestPG7_ARelationThatTheCatalogLacksIsOutOfSight(t *testing.T) {
	t.Parallel()
	if s := extend(t, "SELECT id FROM missing", nil); s.Action.Opaque == "" {
		t.Errorf("%+v", s.Action)
	}
	if s := extend(t, "SELECT relname FROM pg_class", nil); s.Action.Opaque != "" {
		t.Errorf("pg_class: %s", s.Action.Opaque)
	}
}

func TestAPartitionsColumnStandsForItsParents(t *testing.T) {
	t.Parallel()
	parent, child := table(20000, "orders", "id", "email"), table(20001, "orders_1", "id", "email")
	parent.Kind, parent.Children, child.Parents = 'p', []uint32{child.OID}, []uint32{parent.OID}
	both := []policy.ColumnUse{use("orders", "email", "output"), use("orders_1", "email", "output")}
	for _, text := range []string{"SELECT email FROM orders", "SELECT email FROM orders_1"} {
		s := extend(t, text, []*catalog.Relation{parent, child})
		if diff := cmp.Diff(both, s.Action.Columns); diff != "" {
			t.Errorf("%s: columns (-want +got):\n%s", text, diff)
		}
		if len(s.Action.Access) != 2 || len(s.Outputs[0].Columns) != 2 {
			t.Errorf("%s: %+v %+v", text, s.Action.Access, s.Outputs)
		}
	}
}

func TestAGeneratedColumnStandsForItsSources(t *testing.T) {
	t.Parallel()
	orders := table(20000, "orders", "id", "email", "lower")
	orders.Columns[2].Generated, orders.Columns[2].From = true, []int16{2}
	s := extend(t, "SELECT lower FROM orders", []*catalog.Relation{orders})
	if diff := cmp.Diff([]policy.ColumnUse{use("orders", "email", "output"), use("orders", "lower", "output")}, s.Action.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

func TestLockingRowsFiresNothing(t *testing.T) {
	t.Parallel()
	orders := table(20000, "orders", "id")
	orders.Triggers = []catalog.Trigger{{Name: "t", Function: 30000, Events: "u", Enabled: true}}
	f := plpgsql(30000, "t", "trigger", "BEGIN EXECUTE 'x'; RETURN NEW; END")
	if s := extend(t, "SELECT id FROM orders FOR UPDATE", []*catalog.Relation{orders}, f); s.Action.Opaque != "" {
		t.Errorf("opaque: %s", s.Action.Opaque)
	}
	if s := extend(t, "WITH u AS (UPDATE orders SET id = 1 RETURNING id) SELECT id FROM u", []*catalog.Relation{orders}, f); s.Action.Opaque == "" {
		t.Error("an update within a SELECT fires no trigger")
	}
}

// Views can double what a column comes from at every level.
func TestTowersOfViewsEnd(t *testing.T) {
	t.Parallel()
	relations := []*catalog.Relation{table(20000, "v0", "a", "b")}
	for i := range uint32(60) {
		below := relations[i].Name.Name
		v := table(20001+i, "v"+strings.Repeat("x", int(i)+1), "a", "b")
		v.Kind, v.View = 'v', "SELECT l.a || r.b AS a, l.b || r.a AS b FROM "+below+" l, "+below+" r"
		relations = append(relations, v)
	}
	s := extend(t, "SELECT a FROM "+relations[30].Name.Name, relations)
	if s.Action.Opaque != "" || len(s.Outputs[0].Columns) != 2*30+1 {
		t.Errorf("30 levels: opaque %q, %d columns", s.Action.Opaque, len(s.Outputs[0].Columns))
	}
	if s := extend(t, "SELECT a FROM "+relations[60].Name.Name, relations); s.Action.Opaque == "" {
		t.Error("60 levels: not opaque")
	}
}

func BenchmarkExtend(b *testing.B) {
	parent := table(20000, "orders", "a", "b", "c", "d", "e", "f", "g", "h")
	parent.Kind = 'p'
	relations := []*catalog.Relation{parent}
	for i := range uint32(1000) {
		child := table(30000+i, "orders_"+strconv.Itoa(int(i)), "a", "b", "c", "d", "e", "f", "g", "h")
		child.Parents, parent.Children = []uint32{parent.OID}, append(parent.Children, child.OID)
		relations = append(relations, child)
	}
	snapshot := catalog.New(1, "", relations, nil, nil)
	r := reach.New(snapshot)
	for name, text := range map[string]string{"read": "SELECT * FROM orders", "update": "UPDATE orders SET a = 'x'"} {
		s := sql.Read(text, sql.Session{Catalog: snapshot, SearchPath: path})[0]
		b.Run("1000 partitions/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := r.Extend(s, path); got.Action.Opaque != "" {
					b.Fatal(got.Action.Opaque)
				}
			}
		})
	}
}
