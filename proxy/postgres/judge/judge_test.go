package judge_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// shop is a catalog of a table and a view of it.
func shop(generation int64) *catalog.Snapshot {
	orders := &catalog.Relation{OID: 20000, Name: catalog.Name{Schema: "public", Name: "orders"}, Kind: 'r',
		Columns: []catalog.Column{{Number: 1, Name: "id", Type: 23}, {Number: 2, Name: "email", Type: 25}}}
	view := &catalog.Relation{OID: 20001, Name: catalog.Name{Schema: "public", Name: "v"}, Kind: 'v',
		Columns: []catalog.Column{{Number: 1, Name: "mail", Type: 25}}, View: "SELECT email AS mail FROM orders WHERE id > 0;"}
	s := catalog.New(generation, "", []*catalog.Relation{orders, view}, nil, nil)
	s.Path = []string{"pg_catalog", "public"}
	return s
}

var path = []string{"pg_catalog", "public"}

func TestPG7_AViewShowsItsTable(t *testing.T) {
	t.Parallel()
	got := judge.New(1<<20).Read("SELECT mail FROM v", sql.Session{Catalog: shop(1), SearchPath: path})
	if len(got) != 1 {
		t.Fatalf("%d statements", len(got))
	}
	want := policy.Action{
		Access: []policy.Access{
			{Schema: "public", Name: "orders", Privilege: "SELECT", Via: "view public.v"},
			{Schema: "public", Name: "v", Privilege: "SELECT"},
		},
		Columns: []policy.ColumnUse{
			{Schema: "public", Relation: "orders", Column: "email", Use: policy.UseOutput},
			{Schema: "public", Relation: "orders", Column: "id", Use: policy.UseFilter},
			{Schema: "public", Relation: "v", Column: "mail", Use: policy.UseOutput},
		},
	}
	if diff := cmp.Diff(want, policy.Action{Access: got[0].Action.Access, Columns: got[0].Action.Columns}); diff != "" {
		t.Errorf("action (-want +got):\n%s", diff)
	}
	outputs := []sql.Output{{Columns: []policy.ColumnUse{want.Columns[2], want.Columns[0]}, Plain: true}}
	if diff := cmp.Diff(outputs, got[0].Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestWhatIsRememberedIsOfTheSameSession(t *testing.T) {
	t.Parallel()
	j := judge.New(1 << 20)
	text := "SELECT 'x' FROM orders"
	in := sql.Session{Catalog: shop(1), SearchPath: path}
	first := j.Read(text, in)
	if again := j.Read(text, in); &again[0] != &first[0] {
		t.Error("the same text is read again")
	}
	for name, other := range map[string]sql.Session{
		"catalog":      {Catalog: shop(2), SearchPath: path},
		"path":         {Catalog: in.Catalog, SearchPath: []string{"pg_catalog", "public", "other"}},
		"unrestricted": {Catalog: in.Catalog, SearchPath: path, Unrestricted: true},
		"nothing":      {SearchPath: path},
	} {
		if found := j.Read(text, other); &found[0] == &first[0] {
			t.Errorf("another %s has the same reading", name)
		}
	}
}

func TestTextsThatDifferInIntegersAreReadOnce(t *testing.T) {
	t.Parallel()
	j, in := judge.New(1<<20), sql.Session{Catalog: shop(1), SearchPath: path}
	for _, text := range []string{
		" UPDATE orders SET id = 1 WHERE id = 5 ", " UPDATE orders SET id = 1000 WHERE id = 55 ", "UPDATE orders SET id = 1 WHERE id = 123456;",
	} {
		if diff := cmp.Diff(judge.New(0).Read(text, in), j.Read(text, in)); diff != "" {
			t.Errorf("%s (-alone +remembered):\n%s", text, diff)
		}
		again := j.Read(text, in)
		if got := text[again[0].Begin:again[0].End]; got != strings.Trim(text, " ;") {
			t.Errorf("the statement is %q", got)
		}
	}
}

func TestPG7_NamesBehindAChangeOfTheirMeaningAreOutOfSight(t *testing.T) {
	t.Parallel()
	in := sql.Session{Catalog: shop(1), SearchPath: path, Unrestricted: true}
	for _, text := range []string{
		"SET search_path = other; SELECT email FROM orders",
		"CREATE VIEW w AS SELECT 1; SELECT email FROM orders",
	} {
		got := judge.New(0).Read(text, in)
		if len(got) != 2 || got[1].Action.Opaque == "" {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	j, in := judge.New(1<<12), sql.Session{Catalog: shop(1), SearchPath: path}
	first := j.Read("SELECT 'a' FROM orders", in)
	for i := range 100 {
		j.Read("SELECT '"+strings.Repeat("b", i)+"' FROM orders", in)
	}
	if again := j.Read("SELECT 'a' FROM orders", in); &again[0] == &first[0] {
		t.Error("the oldest is still remembered")
	}
}

func BenchmarkRead(b *testing.B) {
	in := sql.Session{Catalog: shop(1), SearchPath: path}
	b.Run("exact hit", func(b *testing.B) {
		j, text := judge.New(1<<20), "SELECT email FROM orders WHERE email = 'x' AND id = $1"
		b.ReportAllocs()
		for b.Loop() {
			j.Read(text, in)
		}
	})
	b.Run("template hit", func(b *testing.B) {
		j := judge.New(1 << 20)
		texts := []string{"SELECT email FROM orders WHERE id = 5", "SELECT email FROM orders WHERE id = 4711"}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			j.Read(texts[i&1], in)
		}
	})
	b.Run("miss", func(b *testing.B) {
		j := judge.New(0)
		b.ReportAllocs()
		for b.Loop() {
			j.Read("SELECT email FROM orders WHERE id = 5", in)
		}
	})
	b.Run("miss through a view", func(b *testing.B) {
		j := judge.New(0)
		b.ReportAllocs()
		for b.Loop() {
			j.Read("SELECT mail FROM v WHERE mail = 'x'", in)
		}
	})
}
