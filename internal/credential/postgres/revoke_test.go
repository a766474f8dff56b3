package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/postgres"
	"github.com/sallyport/sallyport/internal/pgtest"
)

func TestRevokeEndsLiveSessionsAndProvesIt(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	role := issue(t, issuer, target, request)
	idle := mustLogin(t, shared, issuer, target, request)
	inTransaction := mustLogin(t, shared, issuer, target, request)
	do(t, inTransaction, "BEGIN; SELECT * FROM orders")
	busy := mustLogin(t, shared, issuer, target, request)
	ended := make(chan error, 1)
	go func() {
		_, err := busy.Exec(t.Context(), "SELECT pg_sleep(600)")
		ended <- err
	}()

	before, err := issuer.Verify(t.Context(), target, request)
	if err != nil || before.Absent || !strings.Contains(before.Message, "still in pg_roles: 3 sessions") {
		t.Fatalf("before: %+v, %v", before, err)
	}
	evidence := revoked(t, issuer, target, request)
	if !strings.Contains(evidence.Message, role+" absent from pg_roles: 0 sessions") || strings.Contains(evidence.Message, "\n") {
		t.Errorf("evidence %q", evidence.Message)
	}
	wantState(t, <-ended, "57P01", "the running query")
	if _, err := idle.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the idle session lives")
	}
	_, err = login(t, shared, issuer, target, request)
	wantState(t, err, "28P01", "login after revoke")
	revoked(t, issuer, target, request)
}

func TestLIFE2_ATargetThatWasDownAtCloseProvesTheTeardownWhenItIsBack(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	database := newDatabase(t, server, orders)
	issuer, target := newIssuer(t, nil), targetOf(server, database)
	request := requestFor(read(database, "orders"))
	issue(t, issuer, target, request)
	server.Stop()
	if err := issuer.Revoke(t.Context(), target, request); !errors.Is(err, credential.ErrUnreachable) {
		t.Fatalf("revoke while down: %v", err)
	}
	if evidence, err := issuer.Verify(t.Context(), target, request); err == nil || evidence.Absent {
		t.Fatalf("verified while down: %+v", evidence)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	mustLogin(t, server, issuer, target, request)
	revoked(t, issuer, target, request)
}

func TestLIFE3_WhatTheTaskMadeStaysAndBecomesTheAdministrators(t *testing.T) {
	t.Parallel()
	first, second := newDatabase(t, shared, orders), newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, first, second)
	request := requestFor(read(first, "orders"))
	role := issue(t, issuer, target, request)
	for _, database := range []string{first, second} {
		shared.Exec(t, database, `GRANT CREATE ON SCHEMA public TO `+role+`; GRANT CREATE, CONNECT ON DATABASE `+database+` TO `+role)
		password, _ := issuer.Password(request.UID, request.Generation)
		conn, err := connect(t, shared, database, role, password.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		do(t, conn, `SET default_transaction_read_only = off`)
		do(t, conn, `
			CREATE TABLE made (a serial PRIMARY KEY, b text);
			INSERT INTO made (b) VALUES ('kept');
			CREATE VIEW made_view AS SELECT * FROM made;
			CREATE MATERIALIZED VIEW made_matview AS SELECT * FROM made;
			CREATE FUNCTION made_function() RETURNS int LANGUAGE sql AS 'SELECT 1';
			CREATE TYPE made_type AS ENUM ('a');
			CREATE DOMAIN made_domain AS int;
			CREATE SCHEMA made_schema CREATE TABLE inner_table (a int);
			SELECT lo_from_bytea(0, 'large');
			CREATE TEMPORARY TABLE made_temp (a int);
			ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
			GRANT SELECT ON made TO PUBLIC`)
	}
	shared.Exec(t, first, `CREATE POLICY for_task ON salaries TO `+role+` USING (true)`)
	conn := mustLogin(t, shared, issuer, target, request)
	do(t, conn, `SET default_transaction_read_only = off`)
	do(t, conn, `BEGIN; INSERT INTO made (b) VALUES ('prepared'); PREPARE TRANSACTION 'it''s `+request.UID+`'`)

	revoked(t, issuer, target, request)
	for _, database := range []string{first, second} {
		got := shared.QueryString(t, database, `SELECT tableowner FROM pg_tables WHERE tablename IN ('made', 'inner_table')
			UNION SELECT typowner::regrole::text FROM pg_type WHERE typname IN ('made_type', 'made_domain')
			UNION SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'made_schema'
			UNION SELECT lomowner::regrole::text FROM pg_largeobject_metadata`)
		if got != "postgres" {
			t.Errorf("owners in %s: %q", database, got)
		}
		if got := shared.QueryString(t, database, "SELECT b FROM made; SELECT count(*) FROM pg_default_acl; SELECT count(*) FROM pg_largeobject_metadata"); got != "kept\n0\n1" {
			t.Errorf("left in %s: %q", database, got)
		}
	}
}

func TestLIFE5_NoCodeOfATaskRunsWithTheAdministratorsRightsAfterIt(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	// As PUBLIC may on servers that were set up before PostgreSQL 15.
	shared.Exec(t, database, `GRANT CREATE ON SCHEMA public TO `+issue(t, issuer, target, request))
	conn := mustLogin(t, shared, issuer, target, request)
	do(t, conn, "SET default_transaction_read_only = off")
	do(t, conn, `CREATE FUNCTION "made; by" (a int) RETURNS int LANGUAGE sql IMMUTABLE SECURITY DEFINER AS 'SELECT a';
		CREATE PROCEDURE made_procedure() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
		CREATE AGGREGATE made_aggregate(int) (SFUNC = int4pl, STYPE = int);
		CREATE VIEW made_view AS SELECT * FROM salaries;
		CREATE MATERIALIZED VIEW made_matview AS SELECT 1 AS a;
		CREATE TABLE made (a int DEFAULT "made; by"(1));
		INSERT INTO made VALUES (7);
		CREATE INDEX made_index ON made ("made; by"(a));
		CREATE RULE "made rule" AS ON INSERT TO made DO ALSO UPDATE salaries SET amount = 0;
		GRANT ALL ON made, made_view, made_matview TO PUBLIC`)
	revoked(t, issuer, target, request)
	if got := shared.QueryString(t, database, `SELECT a, (SELECT count(*) FROM pg_proc WHERE proname LIKE 'made%')
			+ (SELECT count(*) FROM pg_class WHERE relname IN ('made_view', 'made_matview', 'made_index'))
			+ (SELECT count(*) FROM pg_rewrite WHERE rulename = 'made rule') FROM made`); got != "7|0" {
		t.Errorf("the data, and how much code is left: %s", got)
	}
}

func TestLIFE3_AnAdministratorWithoutSuperuserTearsDownToo(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	admin := "admin_" + database
	shared.Exec(t, database, `CREATE ROLE `+admin+` LOGIN CREATEROLE PASSWORD 'admin';
		GRANT SELECT ON orders TO `+admin+` WITH GRANT OPTION;
		GRANT USAGE, CREATE ON SCHEMA public TO `+admin+` WITH GRANT OPTION;
		GRANT CONNECT ON DATABASE `+database+` TO `+admin+` WITH GRANT OPTION`)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	target.Admin = credential.Admin{Username: admin, Password: "admin"}
	request := requestFor(read(database, "orders"))
	role := issue(t, issuer, target, request)
	shared.Exec(t, database, "SET ROLE "+admin+"; GRANT CREATE ON SCHEMA public TO "+role)
	conn := mustLogin(t, shared, issuer, target, request)
	do(t, conn, "SET default_transaction_read_only = off")
	do(t, conn, `CREATE TABLE made (a int); CREATE FUNCTION made_function() RETURNS int LANGUAGE sql AS 'SELECT 1';
		SELECT lo_from_bytea(0, 'large')`)
	do(t, conn, "BEGIN; INSERT INTO made VALUES (1); PREPARE TRANSACTION '"+request.UID+"'")
	revoked(t, issuer, target, request)
	if got := shared.QueryString(t, database, "SELECT tableowner FROM pg_tables WHERE tablename = 'made'"); got != admin {
		t.Errorf("made is %s's", got)
	}

	refusedGrant := requestFor(read(database, "salaries"))
	if _, err := issuer.Issue(t.Context(), target, refusedGrant); !errors.Is(err, credential.ErrAdministrator) && (err == nil || !strings.Contains(err.Error(), "42501")) {
		t.Errorf("giving what it may not give: %v", err)
	}
}

func TestADatabaseThatTakesNoConnectionsIsNamedAndAwaited(t *testing.T) {
	t.Parallel()
	database, closed := newDatabase(t, shared, orders), newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	role := issue(t, issuer, target, request)
	shared.Exec(t, closed, "GRANT SELECT ON orders TO "+role)
	shared.Exec(t, "postgres", "ALTER DATABASE "+closed+" ALLOW_CONNECTIONS false")
	err := issuer.Revoke(t.Context(), target, request)
	if err == nil || !strings.Contains(err.Error(), closed) {
		t.Fatalf("got %v", err)
	}
	_, err = login(t, shared, issuer, target, request)
	wantState(t, err, "28P01", "login while the teardown is stuck")
	shared.Exec(t, "postgres", "ALTER DATABASE "+closed+" ALLOW_CONNECTIONS true")
	revoked(t, issuer, target, request)
}

func TestMembershipsEndWithTheRole(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	role := issue(t, issuer, target, request)
	shared.Exec(t, database, `CREATE ROLE friend_`+database+`; GRANT `+role+` TO friend_`+database+` WITH ADMIN OPTION; GRANT friend_`+database+` TO postgres;
		CREATE ROLE group_`+database+`; GRANT group_`+database+` TO `+role+` WITH ADMIN OPTION;
		ALTER ROLE `+role+` IN DATABASE `+database+` SET work_mem = '8MB'`)
	revoked(t, issuer, target, request)
	if got := shared.QueryString(t, database, "SELECT count(*) FROM pg_auth_members WHERE roleid::regrole::text LIKE 'sp_%"+request.UID[:8]+"%'"); got != "0" {
		t.Errorf("%s memberships left", got)
	}
}

func TestOP2_TwoInstallationsOnOneTargetLeaveEachOthersRolesAlone(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	database := newDatabase(t, server, orders)
	target := targetOf(server, database)
	ours := newIssuer(t, nil)
	theirs := newIssuer(t, func(o *postgres.Options) { o.Installation = "ffffffff" })
	request := requestFor(read(database, "orders"))
	issue(t, ours, target, request)
	issue(t, theirs, target, request)
	// Names that only look like ours.
	server.Exec(t, "postgres", `CREATE ROLE sp_0a1b2c3d_short; CREATE ROLE "sp_0a1b2c3dx00000000000000000000000000000000"; CREATE ROLE sp_0a1b2c3d_zz000000000000000000000000000000`)
	for _, issuer := range []*postgres.Issuer{ours, theirs} {
		got, err := issuer.List(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{request.UID}, got); diff != "" {
			t.Error(diff)
		}
	}
	revoked(t, ours, target, request)
	mustLogin(t, server, theirs, target, request)
	if got, err := ours.List(t.Context(), target); err != nil || len(got) != 0 {
		t.Errorf("left: %v, %v", got, err)
	}
	_, err := login(t, server, ours, target, request)
	wantState(t, err, "28P01", "the revoked role")
}

func TestAnAdministratorsPasswordIsInNoError(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	target := targetOf(server, "postgres")
	target.Admin.Password = "s3cret-of-the-administrator"
	issuer := newIssuer(t, nil)
	_, probed := issuer.Probe(t.Context(), target)
	request := requestFor(read("postgres"))
	_, issued := issuer.Issue(t.Context(), target, request)
	for _, err := range []error{probed, issued, issuer.Revoke(t.Context(), target, request)} {
		if !errors.Is(err, credential.ErrAdministrator) {
			t.Errorf("got %v", err)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("says %q", err)
		}
	}
}

func TestASilentTargetCostsBoundedTime(t *testing.T) {
	t.Parallel()
	silent := silentServer(t)
	target := targetOf(shared, "postgres")
	target.Spec.Postgres.Port = silent
	began := time.Now()
	if _, err := newIssuer(t, nil).Probe(t.Context(), target); !errors.Is(err, credential.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("took %s", took)
	}
}
