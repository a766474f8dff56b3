package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
)

func TestPG9_AMaskedColumnIsMaskedByEveryWayToIt(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)))
	const hidden = "[redacted]"
	for name, mode := range modes {
		conn := p.connect(t)
		for _, c := range []struct{ way, text, want string }{
			{"alias", "SELECT p.id, p.email AS note FROM people AS p WHERE p.id = 1", "1|" + hidden + "\n"},
			{"star", "SELECT * FROM people WHERE id = 2", "2|" + hidden + "|note 2|22|map[theme:dark]\n"},
			{"view", "SELECT number, address, note FROM contacts WHERE number = 1", "1|" + hidden + "|note 1\n"},
			{"join", "SELECT v.place, p.email FROM visits v JOIN people p ON p.id = v.person ORDER BY 1", "Bern|" + hidden + "\nOslo|" + hidden + "\n"},
			{"subquery", "SELECT s.x, s.id FROM (SELECT email AS x, id FROM people) s WHERE s.id = 3", hidden + "|3\n"},
			{"scalar subquery", "SELECT (SELECT email FROM people WHERE id = 1), 7", hidden + "|7\n"},
			{"CTE", "WITH c AS (SELECT id, email FROM people) SELECT email, id FROM c WHERE id = 1", hidden + "|1\n"},
			{"expression", "SELECT upper(email) || '!', length(note) FROM people WHERE id = 1", hidden + "|6\n"},
			{"typed expression", "SELECT length(email), age + 1 FROM people WHERE id = 1", "|22\n"},
			{"union", "SELECT email FROM people WHERE id = 1 UNION ALL SELECT place FROM visits WHERE person = 1", hidden + "\n" + hidden + "\n"},
			{"JSON", "SELECT jsonb_build_object('e', email) FROM people WHERE id = 1", hidden + "\n"},
			{"array", "SELECT array_agg(email) FROM people", "\n"},
			{"row", "SELECT p FROM people p WHERE id = 1", "\n"},
			{"partition", "SELECT id, email FROM parted_1", "1|" + hidden + "\n"},
			{"parent", "SELECT id, email FROM parted", "1|" + hidden + "\n"},
			{"returning", "UPDATE people SET note = note WHERE id = 1 RETURNING id, email, note", "1|" + hidden + "|note 1\n"},
			{"count", "SELECT count(*), max(age) FROM people", "3|23\n"},
			{"other", "SELECT place || '' FROM visits WHERE person = 1", "Bern\n"},
		} {
			got, err := answer(conn, c.text, mode)
			if err != nil || got != c.want {
				t.Errorf("%s, %s: %q, %v", name, c.way, got, told(err))
			}
		}
	}
}

func TestPG9_CursorsAreMaskedByTheirStatement(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)))
	r := p.ready(t)
	r.write(query("BEGIN; DECLARE c CURSOR FOR SELECT upper(email), id + 1 FROM people ORDER BY id; FETCH 1 FROM c"))
	expect(t, r.untilReady(), "BEGIN", "DECLARE CURSOR", "columns", "row [redacted]", "FETCH 1", "ready T")
	r.write(query("DECLARE d CURSOR FOR SELECT 'n' || note, email FROM people ORDER BY id"), query("FETCH 2 FROM d"), query("CLOSE c"))
	expect(t, append(append(r.untilReady(), r.untilReady()...), r.untilReady()...), "DECLARE CURSOR", "ready T", "columns", "row nnote 1", "row nnote 2", "FETCH 2", "ready T", "CLOSE CURSOR", "ready T")
	// A portal is a cursor by its name.
	r.write(&pgproto3.Parse{Query: "SELECT lower(email), id FROM people ORDER BY id"}, &pgproto3.Bind{DestinationPortal: "portal"}, &pgproto3.Sync{})
	expect(t, r.untilReady(), "parsed", "bound", "ready T")
	r.write(query("FETCH 1 FROM portal"))
	expect(t, r.untilReady(), "columns", "row [redacted]", "FETCH 1", "ready T")
	// What it says when it fails is about its statement, too.
	r.write(&pgproto3.Parse{Query: "SELECT note::int FROM people"}, &pgproto3.Bind{DestinationPortal: "other"}, &pgproto3.Sync{}, query("SAVEPOINT s"))
	expect(t, append(r.untilReady(), r.untilReady()...), "parsed", "bound", "ready T", "SAVEPOINT", "ready T")
	// One that goes on after its transaction is no longer known: what has no origin is masked.
	r.write(query("DECLARE h CURSOR WITH HOLD FOR SELECT 'n' || note, note FROM people ORDER BY id; COMMIT"), query("FETCH 1 FROM h"))
	expect(t, append(r.untilReady(), r.untilReady()...), "DECLARE CURSOR", "COMMIT", "ready I", "columns", "row [redacted]", "FETCH 1", "ready I")
}

// TestPG9_AFetchIsMaskedByWhatItsCursorIs, whatever another of its name was.
func TestPG9_AFetchIsMaskedByWhatItsCursorIs(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)))
	const hidden, open = "SELECT to_jsonb(p)::text FROM people p ORDER BY id", "SELECT 'n' || note FROM people ORDER BY id"
	bind := func(portal, text string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Parse{Query: text}, &pgproto3.Bind{DestinationPortal: portal}}
	}
	execute := func(portal string, most uint32) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Execute{Portal: portal, MaxRows: most}}
	}
	drop := func(portal string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Close{ObjectType: 'P', Name: portal}}
	}
	fetch := func(from string) []pgproto3.FrontendMessage {
		return append(bind("", "FETCH 1 FROM "+from), execute("", 0)...)
	}
	declare := func(name, text string) []pgproto3.FrontendMessage {
		return append(bind("", "DECLARE "+name+" CURSOR FOR "+text), execute("", 0)...)
	}
	for name, c := range map[string]struct {
		steps [][]pgproto3.FrontendMessage
		rows  []string
	}{
		"a portal that fetches": {[][]pgproto3.FrontendMessage{declare("c", hidden), bind("q", "FETCH ALL FROM c"), execute("q", 1), fetch("q"), fetch("q")},
			[]string{"[redacted]", "[redacted]", "[redacted]"}},
		"a portal that fetches from one that fetches": {[][]pgproto3.FrontendMessage{bind("c", hidden), bind("d", "FETCH ALL FROM c"), bind("e", "FETCH ALL FROM d"), fetch("e")},
			[]string{"[redacted]"}},
		"what may be seen, so": {[][]pgproto3.FrontendMessage{declare("c", open), bind("q", "FETCH ALL FROM c"), execute("q", 1), fetch("q")},
			[]string{"nnote 1", "nnote 2"}},
		"a portal in a declared cursor's place": {[][]pgproto3.FrontendMessage{declare("c", open), fetch("c"), drop("c"), bind("c", hidden), fetch("c")},
			[]string{"nnote 1", "[redacted]"}},
		"a declared cursor in a portal's place": {[][]pgproto3.FrontendMessage{bind("c", open), fetch("c"), drop("c"), declare("c", hidden), fetch("c")},
			[]string{"nnote 1", "[redacted]"}},
		"rows kept of a cursor that is another now": {[][]pgproto3.FrontendMessage{bind("c", hidden), bind("q", "FETCH ALL FROM c"), execute("q", 1), drop("c"), bind("c", open), execute("q", 1), fetch("q")},
			[]string{"[redacted]", "[redacted]", "[redacted]"}},
		"rows kept before it was the same again": {[][]pgproto3.FrontendMessage{bind("c", open), bind("q", "FETCH ALL FROM c"), drop("c"), bind("c", hidden), fetch("q"), drop("c"), bind("c", open), execute("q", 1)},
			[]string{"[redacted]", "[redacted]"}},
		"a name that the target may read otherwise": {[][]pgproto3.FrontendMessage{declare("c", open), declare(`"cü"`, open), fetch("c")},
			[]string{"[redacted]"}},
	} {
		for _, whole := range []bool{true, false} {
			r := p.ready(t)
			r.write(query("BEGIN"))
			r.untilReady()
			var got []string
			take := func() {
				r.write(&pgproto3.Sync{})
				for _, said := range r.untilReady() {
					if row, ok := strings.CutPrefix(said, "row "); ok {
						got = append(got, row)
					} else if strings.HasPrefix(said, "ERROR") || said == "EOF" {
						t.Errorf("%s: %s", name, said)
					}
				}
			}
			for _, step := range c.steps {
				r.write(step...)
				if !whole {
					take()
				}
			}
			take()
			if diff := cmp.Diff(c.rows, got); diff != "" {
				t.Errorf("%s, in one segment %v: %s", name, whole, diff)
			}
		}
	}
}

func TestPG9_PreparedTextIsMasked(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)), change{policy: unrestrictedPolicy})
	r := p.ready(t)
	r.write(query("PREPARE q AS SELECT upper(email), id FROM people WHERE id = $1; EXECUTE q(1)"))
	for _, seen := range r.untilReady() {
		if strings.HasPrefix(seen, "row") && seen != "row [redacted]" || seen == "EOF" {
			t.Error(seen)
		}
	}
	conn := p.connect(t)
	if _, err := answer(conn, "PREPARE w AS SELECT email::int FROM people", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(told(err))
	}
	for _, mode := range modes {
		got, err := answer(conn, "EXECUTE w", mode)
		if got != "" || sqlState(err) != "22P02" || strings.Contains(told(err), "canary") {
			t.Errorf("%q, %s", got, told(err))
		}
	}
}

func TestPG9_NoWayLetsTheCanaryOut(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)), change{policy: full})
	texts := []string{
		"SELECT email FROM people", "SELECT reverse(email) FROM people", "SELECT email::varchar(9) FROM people", "SELECT email COLLATE \"C\" FROM people",
		"SELECT DISTINCT email FROM people", "SELECT string_agg(email, ',') FROM people", "SELECT (p).email FROM people p", "SELECT to_jsonb(p) FROM people p",
		"SELECT p::text FROM people p", "SELECT row(email, id) FROM people", "SELECT format('%s', email) FROM people", "SELECT split_part(email, '@', 1) FROM people",
		"SELECT regexp_matches(email, '.*') FROM people", "SELECT unnest(string_to_array(email, '@')) FROM people", "SELECT ascii(email) FROM people",
		"SELECT encode(email::bytea, 'escape') FROM people", "SELECT email::bytea FROM people", "SELECT substr(email, 1, 9) FROM people", "SELECT quote_literal(email) FROM people",
		"SELECT first_value(email) OVER () FROM people", "SELECT lag(email) OVER (ORDER BY id) FROM people", "SELECT CASE WHEN true THEN email END FROM people",
		"SELECT coalesce(email, '') FROM people", "SELECT greatest(email, 'a') FROM people", "SELECT x FROM people, LATERAL (SELECT email AS x) s",
		"SELECT xmlelement(name e, email) FROM people", "SELECT json_agg(p) FROM people p", "SELECT (array_agg(email))[1] FROM people",
		"TABLE people", "TABLE contacts", "SELECT c FROM contacts c", "SELECT address || '' FROM contacts", "VALUES ((SELECT email FROM people LIMIT 1))",
		"SELECT * FROM people NATURAL JOIN people q", "WITH RECURSIVE r AS (SELECT email FROM people WHERE id = 1 UNION ALL SELECT email || 'x' FROM r WHERE length(email) < 20) SELECT * FROM r",
		"DELETE FROM people WHERE id = 99 RETURNING *", "UPDATE people p SET note = p.note FROM people q WHERE p.id = 1 AND q.id = 1 RETURNING q.email",
		"UPDATE people SET note = email", "INSERT INTO visits SELECT id, email FROM people", "CREATE TABLE stolen AS SELECT email FROM people",
		"SELECT set_config('application_name', email, false) FROM people", "SELECT pg_notify('jobs', email) FROM people",
		"SELECT most_common_vals FROM pg_stats WHERE tablename = 'people'", "SELECT query_to_xml('SELECT email FROM people', true, true, '')",
		"SELECT table_to_xml('people', true, true, '')", "SELECT email::int FROM people", "SELECT ('x' || email)::regclass FROM people",
		"SELECT email::date FROM people", "SELECT email::jsonb FROM people", "SELECT 1 / (length(email) - length(email)) FROM people",
		"SELECT to_tsvector(email) FROM people", "SELECT email::inet FROM people", "SELECT current_setting(email) FROM people",
		"UPDATE later SET email = 'canary' || '@zq.example' WHERE id = 2", "INSERT INTO people VALUES (1, 'x')", "UPDATE people SET id = 1",
		"INSERT INTO people VALUES (9, 'canary' || '@zq.example1')", "EXPLAIN (ANALYZE, VERBOSE) SELECT email FROM people",
		"COPY people TO STDOUT", "COPY people TO STDOUT CSV", "COPY (SELECT upper(email) FROM people) TO STDOUT",
		"BEGIN; UPDATE later SET email = 'canary' || '@zq.example' WHERE id = 2; COMMIT", "SELECT email FROM people; SELECT address FROM contacts",
		"BEGIN; DECLARE c CURSOR FOR SELECT email || '' FROM people; FETCH ALL FROM c; COMMIT",
		"BEGIN; DECLARE c CURSOR FOR SELECT email FROM people; FETCH ALL FROM c; MOVE BACKWARD ALL FROM c; FETCH 1 FROM c; COMMIT",
	}
	leaks := func(text string) bool {
		text = strings.ToLower(text)
		return strings.Contains(text, "canary") || strings.Contains(text, "yranac") || strings.Contains(text, "63616e617279")
	}
	var notices strings.Builder
	var mu sync.Mutex
	for name, mode := range modes {
		conn := p.connect(t, func(c *pgx.ConnConfig) {
			c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Fprintf(&notices, "%+v\n", *n)
			}
		})
		for _, text := range texts {
			got, err := answer(conn, text, mode)
			// The client's own text may come back in a syntax error's message; none here has one.
			if leaks(got) || err != nil && leaks(told(err)) {
				t.Errorf("%s: %s: %q, %s", name, text, got, told(err))
			}
			if conn.PgConn().TxStatus() != 'I' {
				if _, err := conn.Exec(t.Context(), "ROLLBACK", pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if leaks(notices.String()) {
		t.Error(notices.String())
	}
	for _, event := range p.events(t) {
		if event.Output == nil {
			continue
		}
		messages, err := event.Output.Messages()
		if err != nil {
			t.Fatal(err)
		}
		if leaks(string(messages)) {
			t.Errorf("recorded: %q", messages)
		}
	}
}

func TestPG9_CopyIsMaskedInTextCSVAndBinary(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(v1alpha1.Mask{How: v1alpha1.MaskConstant, Constant: new(string)})))
	conn := p.connect(t).PgConn()
	for text, want := range map[string]string{
		"COPY (SELECT id, email, note FROM people WHERE id = 1) TO STDOUT":                       "1\t\tnote 1\n",
		"COPY (SELECT email, id FROM people WHERE id = 1) TO STDOUT CSV HEADER":                  "email,id\n\"\",1\n",
		"COPY (SELECT id, email FROM people WHERE id = 1) TO STDOUT (DELIMITER '|', NULL 'nil')": "1|\n",
		"COPY visits TO STDOUT (FORMAT csv, DELIMITER ';')":                                      "1;Bern\n2;Oslo\n",
		"COPY people (email) TO STDOUT":                                                          "\n\n\n",
		"COPY (SELECT address, number FROM contacts WHERE number = 2) TO STDOUT":                 "\t2\n",
	} {
		var out bytes.Buffer
		if _, err := conn.CopyTo(t.Context(), &out, text); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v", text, out.String(), err)
		}
	}
	var out bytes.Buffer
	if _, err := conn.CopyTo(t.Context(), &out, "COPY people TO STDOUT BINARY"); err != nil ||
		strings.Contains(out.String(), "canary") || !strings.Contains(out.String(), "note 3") {
		t.Errorf("binary: %q, %v", out.String(), err)
	}
	out.Reset()
	if _, err := conn.CopyTo(t.Context(), &out, "COPY people TO STDOUT (ENCODING 'LATIN1')"); sqlState(err) == "" || out.Len() > 0 {
		t.Errorf("an encoding that is not read: %q, %v", out.String(), err)
	}
	if got, err := answer(p.connect(t), "SELECT 1", pgx.QueryExecModeExec); got != "1\n" || err != nil {
		t.Error(got, err)
	}
}

func TestPG9_APreparedStatementThatNobodyDescribedIsMaskedInItsOwnFormats(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)))
	r := p.ready(t)
	r.write(&pgproto3.Parse{Name: "s", Query: "SELECT email, id, length(email) FROM people WHERE id = $1"},
		&pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("1")}, ResultFormatCodes: []int16{1}},
		&pgproto3.Execute{MaxRows: 1}, &pgproto3.Execute{}, &pgproto3.Sync{})
	expect(t, r.untilReady(), "parsed", "bound", "row [redacted]", "suspended", "SELECT 0", "ready I")
	// What the client describes it gets, once.
	r.write(&pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("2")}}, &pgproto3.Describe{ObjectType: 'P'},
		&pgproto3.Execute{}, &pgproto3.Sync{})
	expect(t, r.untilReady(), "bound", "columns", "row [redacted]", "SELECT 1", "ready I")
	// Statements without rows are as before.
	r.write(&pgproto3.Parse{Query: "UPDATE visits SET place = place"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	expect(t, r.untilReady(), "parsed", "bound", "UPDATE 2", "ready I")
	r.write(&pgproto3.Parse{Query: ""}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	expect(t, r.untilReady(), "parsed", "bound", "empty", "ready I")
	// An error in a pipeline ends it, and no more.
	r.write(&pgproto3.Parse{Query: "SELECT 1 / (id - id) FROM people"}, &pgproto3.Bind{}, &pgproto3.Execute{},
		&pgproto3.Parse{Query: "SELECT 2"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	expect(t, r.untilReady(), "parsed", "bound", "ERROR 22012", "ready I")
}

func TestPG9_ErrorsKeepTheirCodeAndLoseWhatMayBeAValue(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)))
	conn := p.connect(t)
	for text, want := range map[string]string{
		"SELECT note::int FROM people":             "22P02 the target's message is withheld",
		"INSERT INTO people VALUES (1)":            "23505 the target's message is withheld",
		"SELECT nowhere FROM people":               `42703 column "nowhere" does not exist`,
		"SELECT place::int FROM visits":            `22P02 invalid input syntax for type integer: "Bern"`,
		"INSERT INTO people VALUES (NULL)":         "23502 the target's message is withheld",
		"SELECT 'x'::int FROM visits":              `22P02 invalid input syntax for type integer: "x"`,
		"UPDATE people SET id = 'x' WHERE id = 99": "22P02 the target's message is withheld",
	} {
		_, err := conn.Exec(t.Context(), text)
		said, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || !strings.HasPrefix(said.Code+" "+said.Message, want) {
			t.Errorf("%s: %s", text, told(err))
		}
		if ok && strings.HasPrefix(said.Code, "23") && (said.TableName != "people" || said.Detail != "") {
			t.Errorf("%s: %s", text, told(err))
		}
	}
	// What is deferred speaks at the end of its transaction.
	_, err := conn.Exec(t.Context(), "BEGIN; UPDATE later SET email = (SELECT 'canary@zq.' || 'example') WHERE id = 2; COMMIT", pgx.QueryExecModeSimpleProtocol)
	if said := told(err); sqlState(err) != "23505" || strings.Contains(said, "canary") || !strings.Contains(said, "one_each") {
		t.Error(said)
	}
}

func TestPG9_MaskedValuesAreCountedInTheRecording(t *testing.T) {
	t.Parallel()
	masks := emails(redact)
	masks.Detectors = []v1alpha1.DetectorMask{{Name: "card", Detect: v1alpha1.DetectPaymentCard, Mask: redact}}
	p := newProxy(t, maskedBy(t, masks))
	conn := p.connect(t)
	got, err := answer(conn, "SELECT id, email, 'card 4111111111111111' FROM people", pgx.QueryExecModeSimpleProtocol)
	if err != nil || strings.Count(got, "card [redacted]") != 3 {
		t.Errorf("%q, %v", got, err)
	}
	// A result is written with what follows it.
	if _, err := answer(conn, "SELECT 1", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"column public.people.email": 3, "detector card": 3}, p.results(t)[1].Masked); diff != "" {
		t.Error(diff)
	}
}

func TestPG9_TheOutputRecordedIsWhatTheClientGot(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)), change{policy: full})
	conn := p.connect(t)
	for _, mode := range modes {
		if _, err := answer(conn, "SELECT id, email FROM people ORDER BY id", mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.PgConn().CopyTo(t.Context(), &bytes.Buffer{}, "COPY (SELECT id, email FROM people WHERE id = 1) TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	seen, copies, results := 0, 0, map[int64]bool{}
	for _, event := range p.events(t) {
		switch event.Type {
		case record.EventResult:
			results[event.Result.Operation] = true
		case record.EventOutput:
			if results[event.Output.Operation] {
				t.Errorf("operation %d: output after its result", event.Output.Operation)
			}
			var rows record.Rows
			list, err := rows.Add(*event.Output)
			if err != nil {
				t.Fatal(err)
			}
			if list[0].Copy != nil {
				copies++
				if string(list[0].Copy) != "1\t[redacted]\n" {
					t.Errorf("%q", list[0].Copy)
				}
				continue
			}
			seen++
			if len(list) != 3 || len(event.Output.Columns) != 2 || event.Output.Columns[1].Name != "email" || event.Output.Columns[1].Type != 25 ||
				event.Output.Rows != 3 || string(list[2].Values[1]) != "[redacted]" {
				t.Errorf("%+v, %q", event.Output, list)
			}
		default:
		}
	}
	if seen != len(modes) || copies != 1 {
		t.Errorf("%d results and %d copies were recorded", seen, copies)
	}
}

func TestPG9_NotificationsAndNoticesDoNotCarryValues(t *testing.T) {
	t.Parallel()
	p := newProxy(t, maskedBy(t, emails(redact)), change{options: func(o *Options) { o.Judge = classified(blind) }})
	conn := p.connect(t, func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := conn.Exec(ctx, "LISTEN masked"); err != nil {
		t.Fatal(err)
	}
	target.Exec(t, "orders", "NOTIFY masked, 'canary@zq.example'")
	got, err := conn.WaitForNotification(ctx)
	if err != nil || got.Payload != "[withheld]" || got.Channel != "masked" {
		t.Error(got, err)
	}
}

// It measures the process's memory, and so runs beside no other test.
func TestPG11_AMillionRowsAreMaskedInBoundedMemory(t *testing.T) {
	p := newProxy(t, maskedBy(t, emails(redact)), change{policy: full})
	r := p.ready(t)
	r.write(query("SELECT email || g, repeat('x', 20), g FROM people, generate_series(1, 350000) g"))
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	rows := 0
	for {
		m, err := r.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if row, ok := m.(*pgproto3.DataRow); ok {
			rows++
			if string(row.Values[0]) != "[redacted]" {
				t.Fatalf("row %d: %q", rows, row.Values[0])
			}
			continue
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			t.Fatalf("%+v", e)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			break
		}
	}
	// Of the recording, which is in memory here, room for twice its bytes.
	recorded := p.Recordings.Bytes()
	if grown := heap() - before - 2*recorded; rows != 1_050_000 || grown > 48<<20 {
		t.Errorf("%d rows, %d MiB more beside %d MiB recorded", rows, grown>>20, recorded>>20)
	}
}

func TestPG11_LargeRowsAreMaskedWhole(t *testing.T) {
	t.Parallel()
	masks := emails(redact)
	masks.Detectors = []v1alpha1.DetectorMask{{Name: "mail", Detect: v1alpha1.DetectEmail, Mask: redact}}
	conn := newProxy(t, maskedBy(t, masks)).connect(t)
	for mib, mode := range map[int]pgx.QueryExecMode{9: pgx.QueryExecModeCacheStatement, 17: pgx.QueryExecModeSimpleProtocol, 60: pgx.QueryExecModeExec} {
		var note, email string
		err := conn.QueryRow(t.Context(), fmt.Sprintf("SELECT repeat('x', %d << 20) || ' bob@example.com', email FROM people WHERE id = 1", mib), mode).Scan(&note, &email)
		if err != nil || email != "[redacted]" || len(note) != mib<<20+len(" [redacted]") || !strings.HasSuffix(note, "x [redacted]") {
			t.Fatalf("%d MiB: %d bytes, %q, %v", mib, len(note), email, told(err))
		}
	}
	if _, err := answer(conn, "SELECT repeat('x', 70 << 20) FROM people", pgx.QueryExecModeSimpleProtocol); sqlState(err) != codeLimit {
		t.Error(told(err))
	}
}
