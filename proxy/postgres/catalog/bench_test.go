package catalog_test

import (
	"testing"

	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

func BenchmarkLoad(b *testing.B) {
	for name, setup := range map[string]string{
		"small": `CREATE TABLE orders (id serial PRIMARY KEY, email text); CREATE VIEW v AS SELECT * FROM orders;`,
		"2000 tables": `DO $$ BEGIN FOR i IN 1..2000 LOOP
			EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text, b text, c int, d int, e int, f int, g int, h int, i int)', i);
			EXECUTE format('CREATE VIEW v%s AS SELECT id, a, b FROM t%s WHERE c > 1', i, i); END LOOP; END $$`,
	} {
		b.Run(name, func(b *testing.B) {
			server := pgtest.Start(b, pgtest.Options{})
			server.Exec(b, "postgres", setup)
			conn := server.Connect(b, "postgres").PgConn()
			b.Run("load", func(b *testing.B) {
				for b.Loop() {
					if _, err := catalog.Load(b.Context(), ask(conn)); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("version", func(b *testing.B) {
				for b.Loop() {
					if _, err := catalog.Version(b.Context(), ask(conn)); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
