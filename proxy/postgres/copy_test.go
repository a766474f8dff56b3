package postgres

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/internal/record"
)

func TestPG6_CopyInAndOutThroughPsqlAndPgx(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	file := filepath.Join(t.TempDir(), "rows")
	var rows strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&rows, "%d\tcopied %d\t1\n", 10000+i, i)
	}
	if err := os.WriteFile(file, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, _ := p.psql(t, p.dsn(), "-c", `\copy orders FROM '`+file+`'`); stdout != "COPY 3000\n" {
		t.Error(stdout, stderr)
	}
	stdout, stderr, _ := p.psql(t, p.dsn(), "-c", "COPY (SELECT * FROM orders WHERE id >= 10000 AND id < 13000 ORDER BY id) TO STDOUT")
	if stdout != rows.String() {
		t.Errorf("%d bytes came back of %d: %s", len(stdout), rows.Len(), stderr)
	}
	var streamed int64
	for _, event := range p.events(t) {
		if event.Type == record.EventStream {
			streamed += event.Stream.Bytes
		}
	}
	if streamed != int64(rows.Len()) {
		t.Errorf("%d bytes are recorded of %d", streamed, rows.Len())
	}

	conn := p.connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, err := conn.CopyFrom(ctx, pgx.Identifier{"orders"}, []string{"id", "customer"}, pgx.CopyFromSlice(2000, func(i int) ([]any, error) {
		return []any{int32(20000 + i), "by pgx"}, nil
	}))
	if err != nil || n != 2000 {
		t.Error(n, err)
	}
	if _, err := conn.Exec(ctx, "DELETE FROM orders WHERE id >= 10000"); err != nil {
		t.Error(err)
	}
}

func TestPG6_ACopyThatFailsLeavesTheSessionUsable(t *testing.T) {
	t.Parallel()
	r := newProxy(t).ready(t)
	data := func(s string) *pgproto3.CopyData { return &pgproto3.CopyData{Data: []byte(s)} }
	usable := func() {
		t.Helper()
		r.write(query("SELECT 1"))
		expect(t, r.untilReady(), "columns", "row 1", "SELECT 1", "ready I")
	}
	r.write(query("COPY orders FROM STDIN"), data("1\tduplicate\t0\n"), &pgproto3.CopyDone{})
	expect(t, r.untilReady(), "copy in", "ERROR 23505", "ready I")
	usable()
	r.write(query("COPY orders FROM STDIN"), data("6001\tx\t0\n"), &pgproto3.CopyFail{Message: "enough"})
	expect(t, r.untilReady(), "copy in", "ERROR 57014", "ready I")
	usable()
	// The target fails at the first row, while the rest is on its way.
	r.write(query("COPY orders FROM STDIN"))
	r.until("copy in")
	for range 200 {
		r.write(data(strings.Repeat("not a number\n", 1000)))
	}
	r.write(&pgproto3.CopyDone{})
	expect(t, r.untilReady(), "ERROR 22P02", "ready I")
	usable()
	// Refused: the data that a hasty client sends go nowhere.
	r.write(query("COPY salaries FROM STDIN"), data("a\t1\n"), &pgproto3.CopyDone{})
	expect(t, r.untilReady(), "ERROR 42501", "ready I")
	usable()
	r.write(query("COPY orders FROM STDIN; SELECT 'between'; COPY orders FROM STDIN"),
		data("6001\tx\t0\n"), &pgproto3.CopyDone{}, data("6002\ty\t0\n"), &pgproto3.CopyDone{})
	expect(t, r.untilReady(), "copy in", "COPY 1", "columns", "row between", "SELECT 1", "copy in", "COPY 1", "ready I")
	r.write(query("DELETE FROM orders WHERE id IN (6001, 6002)"))
	expect(t, r.untilReady(), "DELETE 2", "ready I")
}

func TestPG6_CopyInTheExtendedProtocolAsLibpqDoesIt(t *testing.T) {
	t.Parallel()
	r := newProxy(t).ready(t)
	for _, rows := range []string{"7001\tx\t0\n", "1\tduplicate\t0\n"} {
		// libpq sends a Sync after Execute, which the target ignores, and another after CopyDone.
		r.write(parse("", "COPY orders FROM STDIN"), bind("", ""), execute("", 0), syncUp())
		r.until("copy in")
		r.write(&pgproto3.CopyData{Data: []byte(rows)}, &pgproto3.CopyDone{}, syncUp())
		want := "COPY 1"
		if strings.HasPrefix(rows, "1\t") {
			want = "ERROR 23505"
		}
		expect(t, r.untilReady(), want, "ready I")
	}
	// A COPY that does not begin: its Sync is an ordinary one.
	r.write(parse("", "COPY orders (id, nonsense) FROM STDIN"), bind("", ""), execute("", 0), syncUp())
	if got := r.untilReady(); got[len(got)-1] != "ready I" || !strings.HasPrefix(got[len(got)-2], "ERROR") {
		t.Error(got)
	}
	r.write(query("DELETE FROM orders WHERE id = 7001"))
	expect(t, r.untilReady(), "DELETE 1", "ready I")
}

func TestPG11_LargeMessagesPassAndLargerOnesEndTheSession(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	conn := p.connect(t, func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeExec })
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	for _, size := range []int{9 << 20, 17 << 20, 64 << 20} {
		value := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		var got string
		if err := conn.QueryRow(ctx, "SELECT $1::text", string(value)).Scan(&got); err != nil {
			t.Fatalf("%d MiB: %v", size>>20, err)
		}
		if got != string(value) {
			t.Errorf("%d MiB came back otherwise", size>>20)
		}
	}
	var got string
	err := conn.QueryRow(ctx, "SELECT $1::text", strings.Repeat("x", 66<<20)).Scan(&got)
	if err == nil {
		t.Error("66 MiB passed")
	}
}

func TestPG11_AStreamedCopyMessageThatFailsHalfWayIsForwardedWhole(t *testing.T) {
	t.Parallel()
	r := newProxy(t).ready(t)
	r.write(query("COPY orders FROM STDIN"))
	r.until("copy in")
	// One message far larger than any buffer: its first line fails.
	r.write(&pgproto3.CopyData{Data: []byte("not a number\n" + strings.Repeat("8000\tz\t0\n", 2<<20))}, &pgproto3.CopyDone{})
	expect(t, r.untilReady(), "ERROR 22P02", "ready I")
	r.write(query("SELECT 1"))
	expect(t, r.untilReady(), "columns", "row 1", "SELECT 1", "ready I")
}
