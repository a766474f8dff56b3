package crd_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const target = `
apiVersion: access.sallyport.dev/v1alpha1
kind: AccessTarget
metadata: {name: orders}
spec:
  postgres:
    host: orders.db.example
    port: 5433
    databases: [orders]
`

func TestAnAccessTargetNamesOneServer(t *testing.T) {
	t.Parallel()
	const (
		host      = "/spec/postgres/host"
		databases = "/spec/postgres/databases"
		tls       = "/spec/postgres/tls"
	)
	creations(t, target, []row{
		{"as it stands", "", ""},
		{"a name of 63 characters", put("/metadata/name", text(63)), ""},
		{"a name of 64 characters", put("/metadata/name", text(64)), "name has at most 63 characters"},
		{"no spec", del("/spec"), "spec: Required value"},
		{"no protocol", del("/spec/postgres"), "exactly one of: postgres"},
		{"a field that nobody enforces", put("/spec/kubernetes", "{}"), "unknown field"},
		{"no host", del(host), "host: Required value"},
		{"an empty host", put(host, `""`), "postgres.host"},
		{"an IPv4 address", put(host, `"192.0.2.7"`), ""},
		{"an IPv6 address", put(host, `"2001:db8::7"`), ""},
		{"a host with a path", put(host, `"db/etc"`), "postgres.host"},
		{"a host with a blank", put(host, `"db example"`), "postgres.host"},
		{"a host that is an option", put(host, `"-db"`), "postgres.host"},
		{"a host that is a socket", put(host, `"/run/postgresql"`), "postgres.host"},
		{"a host that is too long", put(host, text(254)), "postgres.host"},
		{"port 0", put("/spec/postgres/port", "0"), "postgres.port"},
		{"port 65536", put("/spec/postgres/port", "65536"), "postgres.port"},
		{"no database", del(databases), "databases: Required value"},
		{"an empty list of databases", put(databases, "[]"), "databases"},
		{"33 databases", put(databases, list(33, `"d%d"`)), "databases: Too many"},
		{"a database twice", put(databases, `["a","a"]`), "Duplicate value"},
		{"a database without a name", put(databases, `[""]`), "databases[0]"},
		{"a database with a control character", put(databases, `["a\u0000b"]`), "databases[0]"},
		{"a database whose name is too long", put(databases, "["+text(64)+"]"), "databases[0]"},
		{"mode VerifyCA", put(tls, `{"mode":"VerifyCA","caBundle":"x"}`), ""},
		{"mode Disable", put(tls, `{"mode":"Disable"}`), ""},
		{"mode Disable with a caBundle", put(tls, `{"mode":"Disable","caBundle":"x"}`), "caBundle has no meaning with mode Disable"},
		{"an unknown mode", put(tls, `{"mode":"Prefer"}`), "Unsupported value"},
		{"a caBundle that is too long", put(tls, `{"caBundle":`+text(32769)+`}`), "caBundle: Too long"},
		{"a static credential", put("/spec/postgres/credential", `"Static"`), ""},
		{"an unknown credential", put("/spec/postgres/credential", `"Shared"`), "Unsupported value"},
	})
}

func TestAnAccessTargetIsSafeByDefault(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"host": "orders.db.example", "port": int64(5432), "databases": []any{"orders"},
		"tls": map[string]any{"mode": "VerifyFull"}, "credential": "EphemeralRole",
	}
	for name, patch := range map[string]string{
		"nothing said":    del("/spec/postgres/port"),
		"tls half said":   del("/spec/postgres/port") + "," + put("/spec/postgres/tls", "{}"),
		"nulls are as no": put("/spec/postgres/port", "null") + "," + put("/spec/postgres/tls", "null") + "," + put("/spec/postgres/credential", "null"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := accepted(t, target, patch).Object["spec"].(map[string]any)["postgres"]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("spec.postgres (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAccessTargetsAddressAndIdentityAreImmutable(t *testing.T) {
	t.Parallel()
	const address, identity = "host and port are immutable", "tls is immutable"
	updates(t, target, []row{
		{"another host", put("/spec/postgres/host", `"evil.example"`), address},
		{"another port", put("/spec/postgres/port", "5434"), address},
		{"the port left out, so defaulted", del("/spec/postgres/port"), address},
		{"no verification", put("/spec/postgres/tls", `{"mode":"Disable"}`), identity},
		{"a caBundle that appears", put("/spec/postgres/tls/caBundle", `"x"`), identity},
		{"tls left out, so as it was", del("/spec/postgres/tls"), ""},
		{"another kind of credential", put("/spec/postgres/credential", `"Static"`), "credential is immutable"},
		{"the protocol left out", del("/spec/postgres"), "exactly one of: postgres"},
		{"one more database", put("/spec/postgres/databases/-", `"more"`), ""},
	})
	updates(t, target+"    tls: {caBundle: x}\n", []row{
		{"a caBundle that changes", put("/spec/postgres/tls/caBundle", `"y"`), identity},
		{"a caBundle that disappears", del("/spec/postgres/tls/caBundle"), identity},
		{"tls that disappears", del("/spec/postgres/tls"), identity},
	})
}
