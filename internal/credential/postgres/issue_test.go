package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/postgres"
)

func TestARoleHasExactlyTheGrant(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	grant := read(database, "customers")
	grant.Postgres.Relations = append(grant.Postgres.Relations, v1alpha1.RelationGrant{
		Schema: "public", Name: "orders",
		Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert},
	})
	grant.Postgres.Sequences = []string{"public.order_ids"}
	grant.Postgres.Functions = []string{"public.total"}
	request := requestFor(grant)
	role := issue(t, issuer, target, request)
	conn := mustLogin(t, shared, issuer, target, request)

	do(t, conn, "SELECT * FROM customers; INSERT INTO orders VALUES (nextval('order_ids') + 10, 1, 'x'); SELECT total(1), total('1')")
	refused(t, conn, "42501", "INSERT INTO customers VALUES (2)")
	refused(t, conn, "42501", "UPDATE orders SET note = ''")
	refused(t, conn, "42501", "DELETE FROM orders")
	refused(t, conn, "42501", "TRUNCATE orders")
	refused(t, conn, "42501", "SELECT * FROM salaries")
	refused(t, conn, "42501", "SELECT * FROM billing.invoices")
	refused(t, conn, "42501", "CREATE TABLE mine (a int)")
	refused(t, conn, "42501", "CREATE ROLE other")
	refused(t, conn, "42501", "SET ROLE postgres")
	refused(t, conn, "42501", "SELECT pg_read_file('postgresql.conf')")

	got := shared.QueryString(t, database, `SELECT rolcanlogin, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit
		FROM pg_roles WHERE rolname = '`+role+`'`)
	if want := "t|f|f|f|f|f|f|4"; got != want {
		t.Errorf("attributes %s, want %s", got, want)
	}
	if got := shared.QueryString(t, database, `SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = '`+role+`'`); !strings.Contains(got, "search_path=public") {
		t.Errorf("settings %s", got)
	}
}

func TestAReadOnlyGrantStartsReadOnly(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders+"CREATE FUNCTION write() RETURNS void SECURITY DEFINER LANGUAGE sql AS 'INSERT INTO salaries VALUES ($$x$$, 1)';")
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	issue(t, issuer, target, request)
	refused(t, mustLogin(t, shared, issuer, target, request), "25006", "SELECT write()")
}

func TestTheTargetSeesNoPassword(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	role := issue(t, issuer, target, request)
	password, err := issuer.Password(request.UID, request.Generation)
	if err != nil {
		t.Fatal(err)
	}
	if got := shared.QueryString(t, database, "SELECT rolpassword FROM pg_authid WHERE rolname = '"+role+"'"); !strings.HasPrefix(got, "SCRAM-SHA-256$4096:") {
		t.Errorf("stored as %.20s", got)
	}
	log := shared.Log()
	if !strings.Contains(log, role) {
		t.Fatal("the log, which holds every statement, does not know the role")
	}
	if strings.Contains(log, password.Reveal()) {
		t.Error("the password is in the target's log")
	}
	if _, err := connect(t, shared, database, role, "wrong"); err == nil {
		t.Error("a wrong password was taken")
	}
}

func TestIssuingAgainBringsTheRoleToTheWantedState(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	other := newDatabase(t, shared, "")
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "customers", "orders"))
	role := issue(t, issuer, target, request)
	first := mustLogin(t, shared, issuer, target, request)

	// Somebody widens it behind our back.
	shared.Exec(t, database, `GRANT ALL ON salaries, customers TO `+role+`; GRANT USAGE ON SCHEMA billing TO `+role+`;
		GRANT SELECT ON billing.invoices TO `+role+`; GRANT UPDATE (note) ON orders TO `+role+`; GRANT pg_read_all_data TO `+role+`;
		GRANT ALL ON SEQUENCE order_ids TO `+role+`; GRANT EXECUTE ON FUNCTION total(int) TO `+role+`;
		GRANT CREATE ON DATABASE `+database+` TO `+role+`; GRANT CREATE ON DATABASE `+other+` TO `+role+`;
		ALTER ROLE `+role+` SET search_path = billing; ALTER ROLE `+role+` IN DATABASE `+database+` SET row_security = off;
		ALTER ROLE `+role+` NOLOGIN`)
	request.Grant = read(database, "orders")
	issue(t, issuer, target, request)
	do(t, first, "SELECT * FROM orders")
	for _, sql := range []string{
		"SELECT * FROM salaries", "SELECT * FROM customers", "SELECT * FROM billing.invoices", "UPDATE orders SET note = ''",
		"SELECT nextval('order_ids')", "SELECT total(1)", "CREATE SCHEMA mine",
	} {
		refused(t, first, "42501", "SET default_transaction_read_only = off; SET transaction_read_only = off; "+sql)
	}
	second := mustLogin(t, shared, issuer, target, request)
	var path, security string
	if err := second.QueryRow(t.Context(), "SELECT current_setting('search_path'), current_setting('row_security')").Scan(&path, &security); err != nil {
		t.Fatal(err)
	}
	if path != "public" || security != "on" {
		t.Errorf("search_path %s, row_security %s", path, security)
	}
	if got := shared.QueryString(t, "postgres", "SELECT has_database_privilege('"+role+"', '"+other+"', 'CREATE')"); got != "f" {
		t.Error("may still create in another database")
	}
}

func TestAnotherGenerationIsAnotherPassword(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	issue(t, issuer, target, request)
	next := request
	next.Generation++
	if _, err := login(t, shared, issuer, target, next); err == nil {
		t.Fatal("the next generation's password works before it was issued")
	}
	issue(t, issuer, target, next)
	_, err := login(t, shared, issuer, target, request)
	wantState(t, err, "28P01", "the password before")
	mustLogin(t, shared, issuer, target, next)
}

func TestAGrantOfWhatIsNotThereNamesIt(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	grant := read(database, "orders", "no_such_table")
	grant.Postgres.Sequences = []string{"public.no_such_sequence"}
	grant.Postgres.Functions = []string{"billing.no_such_function"}
	request := requestFor(grant)
	_, err := issuer.Issue(t.Context(), target, request)
	if !errors.Is(err, credential.ErrGrant) {
		t.Fatalf("got %v", err)
	}
	for _, missing := range []string{"public.no_such_table", "public.no_such_sequence", "billing.no_such_function"} {
		if !strings.Contains(err.Error(), missing) {
			t.Errorf("%v does not name %s", err, missing)
		}
	}
	if evidence, err := issuer.Verify(t.Context(), target, request); err != nil || !evidence.Absent {
		t.Errorf("a failed Issue left something: %s, %v", evidence.Message, err)
	}
}

func TestNoGrantReachesACatalogOrADatabaseThatIsNotOffered(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	catalog := read(database)
	catalog.Postgres.Relations = []v1alpha1.RelationGrant{{Schema: "pg_catalog", Name: "pg_authid", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}}}
	function := read(database)
	function.Postgres.Functions = []string{"pg_catalog.pg_read_file"}
	for name, grant := range map[string]v1alpha1.Grant{
		"catalog": catalog, "function": function, "other database": read("postgres"), "nothing": {},
		"unrestricted": {Postgres: &v1alpha1.PostgresGrant{Database: database, Unrestricted: true}},
	} {
		if _, err := issuer.Issue(t.Context(), target, requestFor(grant)); !errors.Is(err, credential.ErrGrant) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestHostileNamesInTheCatalogStayNames(t *testing.T) {
	t.Parallel()
	const table = `x"; DROP TABLE orders; --%s`
	const schema = `s"'$$%d`
	name := `d"';` + newUID()
	shared.Exec(t, "postgres", `CREATE DATABASE "`+strings.ReplaceAll(name, `"`, `""`)+`"`)
	shared.Exec(t, name, orders+`CREATE SCHEMA "`+strings.ReplaceAll(schema, `"`, `""`)+`";
		CREATE TABLE "`+strings.ReplaceAll(schema, `"`, `""`)+`"."`+strings.ReplaceAll(table, `"`, `""`)+`" (a int);`)
	issuer, target := newIssuer(t, nil), targetOf(shared, name)
	grant := read(name)
	grant.Postgres.Relations = []v1alpha1.RelationGrant{{Schema: schema, Name: table, Privileges: []v1alpha1.RelationPrivilege{"SELECT"}}}
	request := requestFor(grant)
	issue(t, issuer, target, request)
	issue(t, issuer, target, request)
	conn := mustLogin(t, shared, issuer, target, request)
	do(t, conn, `SELECT * FROM "`+strings.ReplaceAll(schema, `"`, `""`)+`"."`+strings.ReplaceAll(table, `"`, `""`)+`"`)
	revoked(t, issuer, target, request)
	if got := shared.QueryString(t, name, "SELECT count(*) FROM orders"); got != "1" {
		t.Errorf("orders has %s rows", got)
	}
}

func TestALookAlikeFunctionOfTheDatabaseIsNotCalled(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders+`
		CREATE FUNCTION public.quote_ident(text) RETURNS text LANGUAGE sql AS $$SELECT 'pwned'$$;
		CREATE FUNCTION public.has_table_privilege(text, oid, text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'called'; END$$;
		CREATE TABLE public.pg_roles (oid oid, rolname text);`)
	shared.Exec(t, "postgres", "ALTER DATABASE "+database+" SET search_path = public, pg_catalog")
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	target.Admin.Database = database
	request := requestFor(read(database, "orders"))
	issue(t, issuer, target, request)
	issue(t, issuer, target, request)
	revoked(t, issuer, target, request)
}

func TestPG12_TheTargetRefusesAnExpiredTaskWithClocksFiveMinutesApart(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	target := targetOf(shared, database)
	for name, skew := range map[string]time.Duration{"operator behind": -5 * time.Minute, "operator ahead": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := func() time.Time { return time.Now().Add(skew) }
			issuer := newIssuer(t, func(o *postgres.Options) { o.Now = now })
			request := requestFor(read(database, "orders"))
			request.ValidUntil = now().Add(time.Minute)
			issue(t, issuer, target, request)
			mustLogin(t, shared, issuer, target, request)

			request.ValidUntil = now().Add(-time.Second)
			issue(t, issuer, target, request)
			_, err := login(t, shared, issuer, target, request)
			wantState(t, err, "28P01", "login after the end")
		})
	}
}

func TestLIFE6_TwoTasksOfOnePersonDoNotShareACredential(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	first, second := requestFor(read(database, "orders")), requestFor(read(database, "customers"))
	one, two := issue(t, issuer, target, first), issue(t, issuer, target, second)
	if one == two {
		t.Fatal("one role for two tasks")
	}
	login, err := issuer.Login(target, second)
	if err != nil {
		t.Fatal(err)
	}
	_, err = connect(t, shared, database, one, login.Password.Reveal())
	wantState(t, err, "28P01", "the first task's role with the second's password")
	conn := mustLogin(t, shared, issuer, target, first)
	refused(t, conn, "42501", "SET ROLE "+two)
	refused(t, conn, "42501", "SELECT * FROM customers")
	refused(t, conn, "42501", "SELECT rolpassword FROM pg_authid")
	refused(t, conn, "42501", "SET SESSION AUTHORIZATION "+two)
	other := mustLogin(t, shared, issuer, target, second)
	refused(t, conn, "42501", fmt.Sprintf("SELECT pg_terminate_backend(%d)", other.PgConn().PID()))
}

func TestConcurrentIssuesAndRevokesDoNotMeet(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	issuer, target := newIssuer(t, nil), targetOf(shared, database)
	request := requestFor(read(database, "orders"))
	var group sync.WaitGroup
	for n := range 12 {
		own := request
		if n%2 == 0 {
			own = requestFor(read(database, "orders", "customers"))
		}
		group.Go(func() {
			for range 2 {
				if _, err := issuer.Issue(t.Context(), target, own); err != nil {
					t.Errorf("issue: %v", err)
				}
				if err := issuer.Revoke(t.Context(), target, own); err != nil {
					t.Errorf("revoke: %v", err)
				}
			}
			if own.UID != request.UID {
				revoked(t, issuer, target, own)
			}
		})
	}
	group.Wait()
	revoked(t, issuer, target, request)
}
