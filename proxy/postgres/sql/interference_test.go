package sql_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// TestPG9_WhatIsNotSaidToComeFromAColumnDoesNotDependOnIt runs queries made at random
// on two databases that differ in one column only. Where nothing is said of filters
// or calls with it, results may differ in columns alone that are said to come from it.
func TestPG9_WhatIsNotSaidToComeFromAColumnDoesNotDependOnIt(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	var conns [2]*pgx.Conn
	for i, emails := range []string{"'b@x', 'a@y', NULL, 'c'", "'x', 'zz@a', 'bb', 'a@y@y'"} {
		database := fmt.Sprintf("world%d", i)
		server.Exec(t, "postgres", "CREATE DATABASE "+database)
		server.Exec(t, database, `CREATE TABLE people (id text, name text, email text);
CREATE TABLE orders (id text, who text, note text);
CREATE VIEW seen AS SELECT id AS nr, email AS mail, name FROM people;
INSERT INTO orders VALUES ('1', '1', 'n1'), ('2', '1', 'n2'), ('3', '2', 'x');
INSERT INTO people SELECT row_number() OVER (), 'n' || row_number() OVER (), e FROM unnest(ARRAY[`+emails+`]) e`)
		conns[i] = server.Connect(t, database)
		if err := conns[i].PgConn().Exec(t.Context(), "SET statement_timeout = '50ms'; SET jit = off; SET geqo_threshold = 5").Close(); err != nil {
			t.Fatal(err)
		}
	}
	session := sql.Session{SearchPath: []string{"pg_catalog", "public"}}
	var err error
	if session.Catalog, err = catalog.Load(t.Context(), asking(conns[0])); err != nil {
		t.Fatal(err)
	}
	judged := judge.New(0)
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2))}
	const queries = 1500
	ran, told := 0, 0
	for range queries {
		text := g.query(nil, 2)
		statement := judged.Read(text, session)[0]
		if statement.Action.Unknown != "" {
			t.Errorf("%s: %s", text, statement.Action.Unknown)
			continue
		}
		if slices.ContainsFunc(statement.Action.Columns, func(c policy.ColumnUse) bool {
			return c.Relation == "people" && (c.Column == "email" || c.Column == "*") && c.Use != policy.UseOutput
		}) {
			continue
		}
		masked := maskedPlaces(statement)
		first, ok := rows(t, conns[0], text, masked, len(statement.Outputs))
		second, too := rows(t, conns[1], text, masked, len(statement.Outputs))
		if !ok || !too {
			continue
		}
		ran++
		if len(masked) > 0 {
			told++
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s\nshows a column that it is not said to show, beside %v (-one +other):\n%s", text, masked, diff)
		}
	}
	t.Logf("%d queries ran, %d of them showed the column", ran, told)
	if ran < 200 || told < 50 {
		t.Errorf("only %d queries ran, %d of them showed the column", ran, told)
	}
}

func maskedPlaces(s sql.Statement) []int {
	var out []int
	of := func(c policy.ColumnUse) bool {
		return c.Relation == "people" && (c.Column == "email" || c.Column == "*")
	}
	if s.Outputs == nil && slices.ContainsFunc(s.Action.Columns, of) {
		return []int{-1}
	}
	for i, o := range s.Outputs {
		if slices.ContainsFunc(o.Columns, of) {
			out = append(out, i)
		}
	}
	return out
}

// rows runs a query; masked columns are left out. ok is false where it fails.
func rows(t *testing.T, conn *pgx.Conn, text string, masked []int, columns int) (out []string, ok bool) {
	t.Helper()
	results, err := conn.PgConn().Exec(context.Background(), text).ReadAll()
	if err != nil || len(results) != 1 {
		return nil, false
	}
	if n := len(results[0].FieldDescriptions); columns > 0 && n > 0 && n != columns {
		t.Errorf("%s: %d columns, not %d", text, n, columns)
	}
	if slices.Contains(masked, -1) {
		return []string{fmt.Sprint(len(results[0].Rows))}, true
	}
	for _, row := range results[0].Rows {
		var b strings.Builder
		for i, value := range row {
			if !slices.Contains(masked, i) {
				fmt.Fprintf(&b, "%q ", value)
			}
		}
		out = append(out, b.String())
	}
	return out, true
}

func asking(conn *pgx.Conn) catalog.Ask {
	return func(ctx context.Context, query string) ([][]string, error) {
		results, err := conn.PgConn().Exec(ctx, query).ReadAll()
		if err != nil {
			return nil, err
		}
		var rows [][]string
		for _, row := range results[0].Rows {
			var texts []string
			for _, value := range row {
				texts = append(texts, string(value))
			}
			rows = append(rows, texts)
		}
		return rows, nil
	}
}
