package catalog_test

import (
	"testing"

	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

func TestSessionsShareASnapshotUntilTheSchemaChanges(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	server.Exec(t, "postgres", `CREATE TABLE orders (id int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`)
	first, second := server.Connect(t, "postgres").PgConn(), server.Connect(t, "postgres").PgConn()
	var shared catalog.Shared
	load := func() *catalog.Snapshot {
		t.Helper()
		s, err := shared.Load(t.Context(), ask(first))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := load()
	same, err := shared.Load(t.Context(), ask(second))
	if err != nil || same != before {
		t.Errorf("another session has another snapshot (%v)", err)
	}
	for _, change := range []string{
		"ALTER TABLE orders ADD email text", "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
		"CREATE RULE r AS ON DELETE TO orders DO NOTHING", "DROP RULE r ON orders", "ALTER TABLE orders RENAME id TO number",
		"ALTER FUNCTION f() SET search_path = public", "ALTER TABLE orders ADD CHECK (f() > 0)", "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
		"CREATE TEMP TABLE t (a int)",
	} {
		if err := first.Exec(t.Context(), change).Close(); err != nil {
			t.Fatal(err)
		}
		after := load()
		if after == before {
			t.Errorf("%s: the snapshot is the one before", change)
		}
		before = after
	}
}
