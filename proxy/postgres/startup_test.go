package postgres

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func TestPG4_PsqlConnectsInEveryModeThatHasTLSAndIsToldWhyNotInOthers(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for _, mode := range []string{"prefer", "require", "verify-ca", "verify-full"} {
		stdout, stderr, code := p.psql(t, p.dsn("sslmode="+mode), "-c", "SELECT count(*) FROM orders")
		if code != 0 || stdout != "1000\n" {
			t.Errorf("sslmode %s: %d %s%s", mode, code, stdout, stderr)
		}
	}
	_, stderr, code := p.psql(t, p.dsn("sslmode=disable"), "-c", "SELECT 1")
	if code == 0 || !strings.Contains(stderr, "FATAL") || !strings.Contains(stderr, "TLS only") {
		t.Errorf("sslmode disable: %d %s", code, stderr)
	}
}

func TestPG4_PlaintextIsTakenWhereTheOptionSaysSo(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{options: func(o *Options) { o.AllowPlaintext = true }})
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d dbname=orders user=anyone sslmode=disable password=%s", p.port, sessiontest.Token.Reveal())
	if stdout, stderr, _ := p.psql(t, dsn, "-c", "SELECT 1"); stdout != "1\n" {
		t.Error(stdout, stderr)
	}
}

func TestPG4_ATokenIsTakenAsPasswordInsideTLS(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d dbname=orders user=anyone sslmode=require password=", p.port)
	if stdout, stderr, _ := p.psql(t, dsn+sessiontest.Token.Reveal(), "-c", "SELECT 1"); stdout != "1\n" {
		t.Error(stdout, stderr)
	}
	_, stderr, code := p.psql(t, dsn+"somebody-elses", "-c", "SELECT 1")
	if code == 0 || !strings.Contains(stderr, "FATAL") {
		t.Errorf("another token: %d %s", code, stderr)
	}
}

func TestPG4_ACertificateThatTheRequestDoesNotNameFallsBackToAToken(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	p.Key = sessiontest.NewKey(t, "mallory")
	p.writeKeys(t)
	if stdout, stderr, _ := p.psql(t, p.dsn("password="+sessiontest.Token.Reveal()), "-c", "SELECT 1"); stdout != "1\n" {
		t.Error(stdout, stderr)
	}
	if _, stderr, code := p.psql(t, p.dsn("password=wrong"), "-c", "SELECT 1"); code == 0 {
		t.Error("a stranger was let in:", stderr)
	}
}

func TestPG4_DirectTLSNeedsTheProtocolsName(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	if got := p.ready(t); got.key == nil {
		t.Error("direct TLS with ALPN did not come to its key")
	}
	conn := p.raw(t)
	if _, err := conn.Write(startup(wire.Version30, "user", "anyone", "database", "orders")); err != nil {
		t.Fatal(err)
	}
	r := &raw{Frontend: pgproto3.NewFrontend(conn, conn), t: t, conn: conn}
	if got := r.next(); got != "FATAL 08P01" {
		t.Errorf("without ALPN: %s", got)
	}
}

func TestPG4_GSSEncryptionIsDeclinedAndTLSMayFollow(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	conn := p.plain(t)
	answer := make([]byte, 1)
	for _, exchange := range []struct {
		request pgproto3.FrontendMessage
		want    byte
	}{{&pgproto3.GSSEncRequest{}, 'N'}, {&pgproto3.SSLRequest{}, 'S'}} {
		encoded, err := exchange.request.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(encoded); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != exchange.want {
			t.Fatalf("%T is answered %q, %v", exchange.request, answer, err)
		}
	}
}

func TestPG4_BytesSentBeforeTLSAreNotTakenForTheClients(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{options: func(o *Options) { o.AllowPlaintext = true }})
	conn := p.plain(t)
	injected := append(wire.AppendSSLRequest(nil), startup(wire.Version30, "user", "mallory", "database", "orders")...)
	if _, err := conn.Write(injected); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if len(answer) == 0 || answer[0] != 'S' || len(answer) > 16 {
		t.Errorf("the proxy went on: %q, %v", answer, err)
	}
	if len(p.events(t)) != 0 {
		t.Error("a session began")
	}
}

func TestPG4_VersionsAndOptionsAreNegotiated(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for _, c := range []struct {
		version    uint32
		parameters []string
		first      string
		key        int
	}{
		{wire.Version30, nil, "other", 4},
		{wire.Version32, nil, "other", 32},
		{3<<16 | 9999, nil, "negotiate", 32},
		{wire.Version30, []string{"_pq_.something", "on"}, "negotiate", 4},
		{wire.Version32, []string{"_pq_.something", "on"}, "negotiate", 32},
	} {
		r := p.open(t, c.version, c.parameters...)
		if got := r.next(); got != c.first {
			t.Errorf("version %x %v: first %s, want %s", c.version, c.parameters, got, c.first)
		}
		r.untilReady()
		if len(r.key.SecretKey) != c.key {
			t.Errorf("version %x: a key of %d bytes, want %d", c.version, len(r.key.SecretKey), c.key)
		}
	}
	if got := p.open(t, 2<<16).next(); got != "FATAL 0A000" {
		t.Errorf("version 2: %s", got)
	}
}

func TestPG3_NoStartUpParameterChangesWhatStatementsMean(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	for _, parameter := range []string{
		"options", "search_path", "role", "session_authorization", "replication", "standard_conforming_strings",
		"SEARCH_PATH", "Options", "row_security", "session_replication_role", "default_tablespace", "is_superuser", "x.y",
	} {
		if got := p.open(t, wire.Version30, parameter, "off").next(); !strings.HasPrefix(got, "FATAL 42501") {
			t.Errorf("%s: %s", parameter, got)
		}
	}
	for _, encoding := range []string{"SJIS", "BIG5", "GBK", "UHC", "JOHAB", "GB18030", "SHIFT_JIS_2004"} {
		if got := p.open(t, wire.Version30, "client_encoding", encoding).next(); got != "FATAL 22023" {
			t.Errorf("client_encoding %s: %s", encoding, got)
		}
	}
	if got := p.open(t, wire.Version30, "datestyle", "ISO", "DateStyle", "SQL").next(); got != "FATAL 22023" {
		t.Errorf("a parameter in two spellings: %s", got)
	}
}

func TestPG3_HarmlessStartUpParametersReachTheTarget(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	conn := p.connect(t, func(c *pgx.ConnConfig) {
		c.RuntimeParams = map[string]string{
			"TimeZone": "Asia/Tokyo", "DateStyle": "SQL, DMY", "extra_float_digits": "2", "IntervalStyle": "iso_8601",
			"statement_timeout": "12345", "application_name": "my app\n", "client_encoding": "'utf-8'",
		}
	})
	var got [6]string
	err := conn.QueryRow(t.Context(), `SELECT current_setting('timezone'), current_setting('datestyle'), current_setting('statement_timeout'),
		current_setting('application_name'), current_setting('search_path'), current_setting('client_encoding')`).
		Scan(&got[0], &got[1], &got[2], &got[3], &got[4], &got[5])
	if err != nil {
		t.Fatal(err)
	}
	want := [6]string{"Asia/Tokyo", "SQL, DMY", "12345ms", "sallyport PAY-1423: my app?", SearchPath, "UTF8"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPG3_AValueThatTheTargetDoesNotTakeIsTheClientsToChange(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	_, err := p.tryConnect(t, p.dsn("timezone=nowhere"))
	told, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || told.Code != "22023" || !strings.Contains(told.Message, `"TimeZone": "nowhere"`) || !strings.Contains(told.Hint, "another value") {
		t.Errorf("%v: %+v", err, told)
	}
}

func TestPG3_ASessionWhoseSettingsTurnAgainstTheJudgeEnds(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"SET standard_conforming_strings = off", "SET client_encoding = 'SJIS'"} {
		// A judge that is blind lets it pass: the target's own report ends the session.
		p := newProxy(t, change{options: func(o *Options) { o.Judge = classified(blind) }})
		r := p.ready(t)
		r.write(&pgproto3.Query{String: statement})
		got := r.untilReady()
		if !slices.Contains(got, "FATAL 42501") {
			t.Errorf("%s: %v", statement, got)
		}
	}
}

func TestTheGrantsDatabaseIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	_, err := p.tryConnect(t, strings.Replace(p.dsn(), "dbname=orders", "dbname=postgres", 1))
	if sqlState(err) != "3D000" {
		t.Error(err)
	}
}

func TestAWaitingClientIsToldAndGoesOnWhenGranted(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{waiting: true})
	told := make(chan string, 10)
	go func() {
		if message, ok := <-told; ok && strings.Contains(message, "kubectl approve pay-1423") {
			p.grant()
		}
	}()
	conn := p.connect(t, func(c *pgx.ConnConfig) {
		c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { told <- n.Message }
	})
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM orders").Scan(&n); err != nil || n != 1000 {
		t.Error(n, err)
	}
}

func TestPsqlShowsWhatItWaitsForAndGoesOnByItself(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{waiting: true})
	command := exec.CommandContext(t.Context(), "psql", "-X", "-A", "-t", "-d", p.dsn(), "-c", "SELECT count(*) FROM orders")
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var out strings.Builder
	command.Stdout = &out
	problems, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(problems).ReadString('\n')
	if err != nil || line != "NOTICE:  waiting for approval: kubectl approve pay-1423\n" {
		t.Errorf("psql shows %q, %v", line, err)
	}
	p.grant()
	if err := command.Wait(); err != nil || out.String() != "1000\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestAClientThatLeavesWhileItWaitsGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	ended := make(chan session.Report, 100)
	p := newProxy(t, change{waiting: true, session: func(o *session.Options) {
		o.Report = func(r session.Report) {
			select {
			case ended <- r:
			default:
			}
		}
	}})
	r := p.open(t, wire.Version30)
	r.until("notice")
	_ = r.conn.(interface{ NetConn() net.Conn }).NetConn().Close()
	for report := range ended {
		if report.Total == 1 && report.Active == 0 {
			return
		}
	}
}

func TestATargetThatCannotBeReachedIsSaid(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{up: func(u *grant.PostgresUpstream) { u.Port = 1 }})
	_, err := p.tryConnect(t, p.dsn())
	if sqlState(err) != "08006" || strings.Contains(err.Error(), taskPassword) {
		t.Error(err)
	}
}
