package postgres_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/static"
	"github.com/sallyport/sallyport/internal/pgtest"
)

func silentServer(t *testing.T) int32 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

func TestAProbeReportsVersionAndWhatEverybodyMay(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders+`
		GRANT CREATE ON SCHEMA public TO PUBLIC;
		GRANT SELECT, DELETE ON salaries TO PUBLIC;
		GRANT SELECT (email) ON customers TO PUBLIC;
		CREATE FUNCTION mighty() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION harmless() RETURNS int LANGUAGE sql AS 'SELECT 1';`)
	findings, err := newIssuer(t, nil).Probe(t.Context(), targetOf(shared, database))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CREATE ON SCHEMA " + database + ".public",
		"DELETE, SELECT ON " + database + ".public.salaries",
		"EXECUTE ON FUNCTION " + database + ".public.mighty() (SECURITY DEFINER)",
		"SELECT (email) ON " + database + ".public.customers",
		"TEMPORARY ON DATABASE " + database,
	}
	if diff := cmp.Diff(want, findings.PublicGrants); diff != "" {
		t.Error(diff)
	}
	if findings.ServerVersion == "" || findings.Unsafe != "" {
		t.Errorf("findings %+v", findings)
	}
}

func TestAReportOfWhatEverybodyMayIsBounded(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, `DO $$BEGIN FOR n IN 1..200 LOOP
		EXECUTE format('CREATE TABLE t%s (a int); GRANT SELECT ON t%s TO PUBLIC', n, n); END LOOP; END$$`)
	findings, err := newIssuer(t, nil).Probe(t.Context(), targetOf(shared, database))
	if err != nil || len(findings.PublicGrants) != 64 {
		t.Errorf("%d reported, %v", len(findings.PublicGrants), err)
	}
}

func TestATargetThatAsksNoPasswordIsUnsafe(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"everybody":              "host all all all trust",
		"one database, over TLS": "hostssl postgres all 127.0.0.1/32 trust",
		"other hosts only":       "host all all 10.0.0.0/8 trust",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pgtest.Start(t, pgtest.Options{HBA: []string{line}})
			findings, err := newIssuer(t, nil).Probe(t.Context(), targetOf(server, "postgres"))
			if err != nil || !strings.Contains(findings.Unsafe, "asks no password") {
				t.Errorf("findings %+v, %v", findings, err)
			}
		})
	}
}

func TestATargetThatAsksForClearTextWithoutTLSIsUnsafe(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{NoTLS: true, HBA: []string{"host all all all password"}})
	findings, err := newIssuer(t, nil).Probe(t.Context(), targetOf(server, "postgres"))
	if err != nil || !strings.Contains(findings.Unsafe, "in the clear") {
		t.Errorf("findings %+v, %v", findings, err)
	}
}

func TestSafeTargetsAreFoundSafe(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]pgtest.Options{
		"scram without TLS": {NoTLS: true},
		"md5":               {MD5: true},
		"local trust":       {HBA: []string{"host replication all 10.0.0.0/8 trust", "host all nobody 10.0.0.0/8 trust"}},
		"strangers refused": {HBA: []string{"host all postgres all scram-sha-256", "host all all all reject"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pgtest.Start(t, options)
			findings, err := newIssuer(t, nil).Probe(t.Context(), targetOf(server, "postgres"))
			if err != nil || findings.Unsafe != "" {
				t.Errorf("findings %+v, %v", findings, err)
			}
		})
	}
}

func TestAClientCertificateServesAsTheAdministratorsLogin(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{HBA: []string{"hostssl all postgres all cert"}})
	target := targetOf(server, "postgres")
	certificate, key, err := server.ClientCertificate("postgres")
	if err != nil {
		t.Fatal(err)
	}
	target.Admin = credential.Admin{Username: "postgres", ClientCertificate: certificate, ClientKey: key}
	if findings, err := newIssuer(t, nil).Probe(t.Context(), target); err != nil || findings.Unsafe != "" {
		t.Errorf("findings %+v, %v", findings, err)
	}
}

func TestAProbeTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	weak := "weak_" + newDatabase(t, shared, "")
	shared.Exec(t, "postgres", "CREATE ROLE "+weak+" LOGIN PASSWORD 'weak'")
	other := pgtest.Start(t, pgtest.Options{})
	for name, c := range map[string]struct {
		adjust func(*credential.Target)
		want   error
	}{
		"nobody listens": {func(c *credential.Target) { c.Spec.Postgres.Port = 1 }, credential.ErrUnreachable},
		"another CA":     {func(c *credential.Target) { c.Spec.Postgres.TLS.CABundle = string(other.CAPEM) }, credential.ErrUnreachable},
		"another CA, chain only": {func(c *credential.Target) {
			c.Spec.Postgres.TLS = v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyCA, CABundle: string(other.CAPEM)}
		}, credential.ErrUnreachable},
		"another name":      {func(c *credential.Target) { c.Spec.Postgres.Host = "db.example.com" }, credential.ErrUnreachable},
		"wrong password":    {func(c *credential.Target) { c.Admin.Password = "wrong" }, credential.ErrAdministrator},
		"too few rights":    {func(c *credential.Target) { c.Admin = credential.Admin{Username: weak, Password: "weak"} }, credential.ErrAdministrator},
		"no such database":  {func(c *credential.Target) { c.Spec.Postgres.Databases = []string{"nowhere"} }, credential.ErrUnsupported},
		"another protocol":  {func(c *credential.Target) { c.Spec.Postgres = nil }, credential.ErrUnsupported},
		"no home database":  {func(c *credential.Target) { c.Admin.Database = "nowhere" }, credential.ErrAdministrator},
		"not a certificate": {func(c *credential.Target) { c.Spec.Postgres.TLS.CABundle = "x" }, credential.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := targetOf(shared, "postgres")
			target.Spec = *target.Spec.DeepCopy()
			c.adjust(&target)
			if _, err := newIssuer(t, nil).Probe(t.Context(), target); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestAStaticLoginNeedsNoRightToMakeRoles(t *testing.T) {
	t.Parallel()
	database := newDatabase(t, shared, orders)
	shared.Exec(t, database, "CREATE ROLE "+database+" LOGIN PASSWORD 'standing'")
	target := targetOf(shared, database)
	target.Spec.Postgres.Credential = v1alpha1.CredentialStatic
	target.Admin = credential.Admin{Username: database, Password: "standing"}
	issuer := static.New(time.Now, newIssuer(t, nil))
	if _, err := issuer.Probe(t.Context(), target); err != nil {
		t.Error(err)
	}
	evidence, err := issuer.Verify(t.Context(), target, requestFor(read(database)))
	if err != nil || evidence.Absent || !evidence.Standing || !strings.Contains(evidence.Message, "remains on the target") {
		t.Errorf("evidence %+v, %v", evidence, err)
	}
}

func TestVerifyCATakesAnotherNameFromTheRightAuthority(t *testing.T) {
	t.Parallel()
	target := targetOf(shared, "postgres")
	target.Spec.Postgres.Host = "db.example.com"
	target.Spec.Postgres.TLS.Mode = v1alpha1.PostgresTLSVerifyCA
	if _, err := newIssuer(t, nil).Probe(t.Context(), target); err != nil {
		t.Error(err)
	}
}
