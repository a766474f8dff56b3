package masking_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/proxy/postgres/masking"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// from is a text column of a result, by its origin.
func from(table uint32, attribute uint16) wire.Column {
	return wire.Column{Table: table, Attribute: attribute, Type: pgtype.TextOID, Modifier: -1}
}

// masks says which columns of a result are masked: "x" for those, "." for others.
func pattern(t *testing.T, m *masking.Masks, columns []wire.Column, s *sql.Statement) string {
	t.Helper()
	list := make([][]byte, len(columns))
	for i := range list {
		list[i] = []byte(canary)
	}
	row, err := m.Result(columns, s).Row(nil, dataRow(list...))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, value := range values(t, row) {
		if string(value) == canary {
			out.WriteByte('.')
		} else {
			out.WriteByte('x')
		}
	}
	return out.String()
}

func TestPG9_AColumnIsMaskedByItsOriginOrByWhatTheStatementSaysOfIt(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(redact, "email"))
	id, email, amount, none := from(ordersOID, 1), from(ordersOID, 2), from(ordersOID, 3), from(0, 0)
	for _, c := range []struct {
		text    string
		columns []wire.Column
		want    string
	}{
		{"SELECT id, email AS e, amount FROM orders", []wire.Column{id, email, amount}, ".x."},
		{"SELECT o FROM orders o", []wire.Column{from(ordersOID, 0)}, "x"},
		{"SELECT ctid FROM orders", []wire.Column{from(ordersOID, 0xffff)}, "."},
		{"SELECT email, id FROM orders_2026", []wire.Column{from(partitionOID, 2), from(partitionOID, 3)}, "x."},
		{"SELECT p FROM orders_2026 p", []wire.Column{from(partitionOID, 0)}, "x"},
		{"SELECT note FROM plain", []wire.Column{from(plainOID, 2)}, "."},
		{"SELECT p FROM plain p", []wire.Column{from(plainOID, 0)}, "."},
		{"SELECT number, e, both FROM v", []wire.Column{from(viewOID, 1), from(viewOID, 2), from(viewOID, 3)}, ".xx"},
		{"SELECT v FROM v", []wire.Column{from(viewOID, 0)}, "x"},
		{"SELECT e FROM archive", []wire.Column{from(archiveOID, 1)}, "x"},
		// Without an origin the statement tells.
		{"SELECT upper(email), id + 1, count(*) OVER () FROM orders", []wire.Column{none, none, none}, "x.."},
		{"SELECT lower(e), number + 1 FROM v", []wire.Column{none, none}, "x."},
		{"SELECT email FROM orders UNION ALL SELECT note FROM plain", []wire.Column{none}, "x"},
		{"SELECT note FROM plain UNION ALL SELECT note FROM plain", []wire.Column{none}, "."},
		{"SELECT count(*) FROM orders", []wire.Column{none}, "."},
		{"WITH c AS (SELECT email || '' AS e FROM orders) SELECT e, 1 FROM c", []wire.Column{none, none}, "x."},
		{"SELECT (SELECT email FROM orders LIMIT 1), 'x'", []wire.Column{none, none}, "x."},
		{"SELECT row_to_json(o) FROM orders o", []wire.Column{none}, "x"},
		{"SELECT 1", []wire.Column{none}, "."},
		{"SELECT tableoid::regclass FROM orders", []wire.Column{none}, "."},
		{"SHOW server_version", []wire.Column{none}, "."},
		{"SELECT relname || '' FROM pg_class", []wire.Column{none}, "."},
		{"SELECT relname FROM pg_class", []wire.Column{from(1259, 2)}, "."},
		{"SELECT id FROM orders", []wire.Column{from(ordersOID, 9)}, "x"},
		{"SELECT note FROM plain", []wire.Column{from(plainOID, 9)}, "."},
		// What is newer than the catalog may be anything.
		{"SELECT e FROM newer", []wire.Column{from(30000, 1)}, "x"},
		{"SELECT 'x' || e FROM newer", []wire.Column{none}, "x"},
		// A result of another shape than the statement says is believed by its origins alone.
		{"SELECT id, amount FROM orders", []wire.Column{id, amount, none}, "..x"},
		{"FROBNICATE", []wire.Column{id, email, none}, ".xx"},
	} {
		if got := pattern(t, m, c.columns, read(t, c.text)); got != c.want {
			t.Errorf("%s: %s, not %s", c.text, got, c.want)
		}
	}
	if got := pattern(t, m, []wire.Column{id, email, none}, nil); got != ".xx" {
		t.Errorf("a statement that nothing is known of: %s", got)
	}
}

func TestPG9_WithoutACatalogWhatMayBeMaskedIs(t *testing.T) {
	t.Parallel()
	m := masking.New(compile(t, columns(redact, "email")))
	for text, want := range map[string]string{
		"SELECT email FROM public.orders": "x",
		"SELECT e FROM public.view":       "x",
		"SELECT 1":                        ".",
		"SELECT relname FROM pg_class":    ".",
	} {
		s := sql.Read(text, sql.Session{SearchPath: []string{"pg_catalog", "public"}})[0]
		if got := pattern(t, m, []wire.Column{from(0, 0)}, &s); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestPG9_OfSeveralMasksTheStrictestHolds(t *testing.T) {
	t.Parallel()
	spec := columns(v1alpha1.Mask{How: v1alpha1.MaskPartial, KeepLast: 3}, "email")
	spec.Columns = append(spec.Columns, columns(v1alpha1.Mask{How: v1alpha1.MaskNull}, "amount").Columns...)
	m := masks(t, spec)
	for text, want := range map[string]any{
		"SELECT email FROM orders LIMIT 1":         "***************com",
		"SELECT email || amount::text FROM orders": nil,
	} {
		row, err := m.Result([]wire.Column{from(0, 0)}, read(t, text)).Row(nil, dataRow([]byte(canary)))
		if err != nil {
			t.Fatal(err)
		}
		got := any(nil)
		if value := values(t, row)[0]; value != nil {
			got = string(value)
		}
		if got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// Partial of an expression would leave what the expression chose, and a hash of one
// would tell a guess.
func TestPG9_OfAnExpressionOverAMaskedColumnNothingIsLeft(t *testing.T) {
	t.Parallel()
	for _, how := range []v1alpha1.Mask{{How: v1alpha1.MaskPartial, KeepLast: 3}, {How: v1alpha1.MaskHash}} {
		m := masks(t, columns(how, "email"))
		for _, text := range []string{
			"SELECT email || '' FROM orders",
			"SELECT reverse(email) FROM orders",
			"SELECT repeat(substr(email, 1, 1), 8) FROM orders",
			"SELECT email FROM orders UNION ALL SELECT 'a guess'",
			"SELECT e FROM (SELECT email FROM orders UNION SELECT 'a guess') AS x (e)",
			"SELECT coalesce(email, 'a guess') FROM orders",
			"SELECT CASE WHEN true THEN email ELSE 'a guess' END FROM orders",
			"WITH x (e) AS (SELECT lower(email) FROM orders) SELECT e FROM x",
			"VALUES ('a guess'), ((SELECT email FROM orders LIMIT 1))",
			"SELECT max(email) FROM orders",
			"SELECT email::varchar(4) FROM orders",
		} {
			row, err := m.Result([]wire.Column{from(0, 0)}, read(t, text)).Row(nil, dataRow([]byte(canary)))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(values(t, row)[0]); got != mask.Redacted {
				t.Errorf("%s by %s: %s", text, how.How, got)
			}
		}
	}
}

func TestMaskedValuesAreCountedWithTheReason(t *testing.T) {
	t.Parallel()
	spec := columns(redact, "email")
	spec.Detectors = detectors(redact, v1alpha1.DetectPaymentCard).Detectors
	m := masks(t, spec)
	plan := m.Result([]wire.Column{from(ordersOID, 2), from(plainOID, 2)}, nil)
	for _, row := range [][]byte{
		dataRow(texts(canary, "pays with 4111 1111 1111 1111, or 5500005555555559")...),
		dataRow(nil, nil), dataRow(texts("", "nothing")...),
	} {
		if _, err := plan.Row(nil, row); err != nil {
			t.Fatal(err)
		}
	}
	plan.Settle()
	if diff := cmp.Diff(map[string]int64{"column public.orders.email": 2, "detector card": 2}, m.Take()); diff != "" {
		t.Error(diff)
	}
	if again := m.Take(); again != nil {
		t.Error(again)
	}
}

func TestAPlanThatChangesNothingLooksAtNothing(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(redact, "email"))
	if m.Result([]wire.Column{from(ordersOID, 1), from(plainOID, 2)}, read(t, "SELECT 1")).Works() {
		t.Error("columns that are not masked are looked at")
	}
	m = masks(t, detectors(redact, v1alpha1.DetectEmail))
	if m.Result([]wire.Column{{Type: pgtype.Int4OID}, {Type: pgtype.DateOID}}, nil).Works() {
		t.Error("types without text are looked at")
	}
	if masking.New(compile(t, v1alpha1.MaskingPolicy{})) != nil {
		t.Error("a policy without masks masks")
	}
}

func TestPG2_ARowThatLiesIsRefused(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(redact, "email"))
	columns := []wire.Column{from(ordersOID, 2), from(ordersOID, 1)}
	for name, row := range map[string]string{
		"no count":            "D\x00\x00\x00\x04",
		"half a count":        "D\x00\x00\x00\x05\x00",
		"another count":       "D\x00\x00\x00\x0a\x00\x01\xff\xff\xff\xff",
		"a negative length":   "D\x00\x00\x00\x0e\x00\x02\xff\xff\xff\xfe\xff\xff\xff\xff",
		"the most negative":   "D\x00\x00\x00\x0e\x00\x02\x80\x00\x00\x00\xff\xff\xff\xff",
		"a value too long":    "D\x00\x00\x00\x0f\x00\x02\x00\x00\x00\x09a\xff\xff\xff\xff",
		"the longest":         "D\x00\x00\x00\x0f\x00\x02\x7f\xff\xff\xffa\xff\xff\xff\xff",
		"a value missing":     "D\x00\x00\x00\x0a\x00\x02\xff\xff\xff\xff",
		"bytes after its end": "D\x00\x00\x00\x0f\x00\x02\xff\xff\xff\xff\xff\xff\xff\xffa",
	} {
		if _, err := m.Result(columns, nil).Row(nil, []byte(row)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPG11_AValueFullOfFindingsDoesNotGrowWithoutBound(t *testing.T) {
	t.Parallel()
	m := masks(t, detectors(v1alpha1.Mask{How: v1alpha1.MaskConstant, Constant: new(strings.Repeat("x", 256))}, v1alpha1.DetectEmail))
	plan := m.Result([]wire.Column{from(plainOID, 2), from(plainOID, 2)}, nil)
	row, err := plan.Row(nil, dataRow(bytes.Repeat([]byte("a@b.co "), 1<<20), bytes.Repeat([]byte("nothing here "), 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	if got := values(t, row); got[0] != nil || len(got[1]) != 13<<20 {
		t.Errorf("%d and %d bytes", len(got[0]), len(got[1]))
	}
	plan.Settle()
	if counts := m.Take(); counts["crowded value"] != 1 {
		t.Error(counts)
	}
}

func FuzzRow(f *testing.F) {
	f.Add(dataRow(texts(canary, "x")...), uint32(pgtype.TextOID), uint32(pgtype.JSONBOID), true)
	f.Add(dataRow([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19"), nil), uint32(pgtype.TextArrayOID), uint32(pgtype.NumericOID), true)
	spec := columns(v1alpha1.Mask{How: v1alpha1.MaskHash}, "email")
	spec.Detectors = detectors(redact, v1alpha1.DetectEmail, v1alpha1.DetectPaymentCard, v1alpha1.DetectIPAddress).Detectors
	m, s := masks(f, spec), read(f, "SELECT email, note FROM orders, plain")
	f.Fuzz(func(t *testing.T, row []byte, one, two uint32, binary bool) {
		format := uint16(wire.FormatText)
		if binary {
			format = wire.FormatBinary
		}
		plan := m.Result([]wire.Column{
			{Table: ordersOID, Attribute: 2, Type: one, Format: format}, {Type: two, Format: format},
		}, s)
		out, err := plan.Row(nil, row)
		if err != nil {
			return
		}
		if len(row) < wire.HeaderSize {
			t.Fatal("a row that is none was taken")
		}
		if got := values(t, out); len(got) != 2 {
			t.Fatalf("%d values", len(got))
		}
	})
}

func BenchmarkRow(b *testing.B) {
	card := columns(redact, "email")
	card.Detectors = detectors(redact, v1alpha1.DetectPaymentCard, v1alpha1.DetectEmail, v1alpha1.DetectIPAddress, v1alpha1.DetectPhone).Detectors
	for name, spec := range map[string]v1alpha1.MaskingPolicy{
		"column": columns(redact, "email"), "hash": columns(v1alpha1.Mask{How: v1alpha1.MaskHash}, "email"), "detectors": card,
	} {
		b.Run(name, func(b *testing.B) {
			m := masks(b, spec)
			plan := m.Result([]wire.Column{
				{Table: ordersOID, Attribute: 1, Type: pgtype.Int4OID}, from(ordersOID, 2), from(plainOID, 2), {Type: pgtype.NumericOID},
			}, read(b, "SELECT 1"))
			var rows [][]byte
			size := 0
			for i := range 1000 {
				rows = append(rows, dataRow(texts(fmt.Sprint(i), fmt.Sprintf("customer-%d@example.com", i), "a note of some length about order "+fmt.Sprint(i), "12.50")...))
				size += len(rows[i])
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = out[:0]
				for _, row := range rows {
					var err error
					if out, err = plan.Row(out, row); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
