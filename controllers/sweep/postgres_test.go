package sweep

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/postgres"
	"github.com/sallyport/sallyport/internal/pgtest"
)

// TestOP2_OnASharedPostgreSQLOnlyOurOwnOrphansGo gives one server the roles of two
// installations, and a login that is nobody's: all but our own orphan stay.
func TestOP2_OnASharedPostgreSQLOnlyOurOwnOrphansGo(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{})
	server.Exec(t, "postgres", "CREATE DATABASE orders")
	server.Exec(t, "orders", "CREATE TABLE orders (id int); CREATE ROLE app LOGIN; GRANT CREATE ON SCHEMA public TO PUBLIC")

	w := newWorld(t)
	w.target("orders")
	target := credential.Target{
		Name: "orders", Namespace: w.namespace, Addresses: []string{server.Host},
		Admin: credential.Admin{Username: server.Superuser, Password: server.Password},
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
			Host: "localhost", Port: int32(server.Port), Databases: []string{"orders"},
			TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull, CABundle: string(server.CAPEM)},
		}},
	}
	ours, theirs := installation(t, "0a1b2c3d"), installation(t, "ffffffff")
	open, closed := w.open("open"), w.closed("closed")
	issue := func(issuer *postgres.Issuer, uid string) string {
		issued, err := issuer.Issue(t.Context(), target, credential.Request{
			UID: uid, Generation: 1, ValidUntil: time.Now().Add(time.Hour), MaxConnections: 2,
			Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Relations: []v1alpha1.RelationGrant{
				{Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
			}}},
		})
		w.must(err)
		return issued.Name
	}
	live, foreign, orphan := issue(ours, string(open.UID)), issue(theirs, string(closed.UID)), issue(ours, string(closed.UID))
	// An orphan that made something on the target goes all the same.
	server.Exec(t, "orders", "SET ROLE "+orphan+"; CREATE TABLE left_behind (id int)")

	w.sweeper.Targets = resolver{target}
	w.sweeper.Issuers[roles] = ours
	w.must(w.sweeper.Sweep(t.Context()))

	left := strings.Fields(server.QueryString(t, "postgres", "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY rolname"))
	if diff := cmp.Diff([]string{"app", live, foreign}, left); diff != "" {
		t.Errorf("logins left on the target (-want +got):\n%s", diff)
	}
}

func installation(t *testing.T, id string) *postgres.Issuer {
	t.Helper()
	issuer, err := postgres.New(postgres.Options{
		Installation: id, MasterKey: []byte(strings.Repeat("k", 32)), Now: time.Now, Dial: (&net.Dialer{}).DialContext,
	})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}
