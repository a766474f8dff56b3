package target

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

const ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

func accessTarget() *v1alpha1.AccessTarget {
	return &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "orders"},
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
			Host: "db.example.com", Port: 5432, Databases: []string{"orders"}, Credential: v1alpha1.CredentialEphemeralRole,
			TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull, CABundle: ca},
		}},
	}
}

func secret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.TargetNamespace, Name: "payments.orders"},
		Data: map[string][]byte{
			"host": []byte("db.example.com"), "port": []byte("5432\n"), "ca.crt": []byte(strings.TrimSpace(ca)),
			"username": []byte("admin\n"), "password": []byte("s3cret\n"),
		},
	}
}

func resolver(secret *corev1.Secret, addresses ...string) *Resolver {
	builder := fake.NewClientBuilder()
	if secret != nil {
		builder = builder.WithObjects(secret)
	}
	return &Resolver{
		Secrets: builder.Build(), Timeout: time.Second,
		Own: []netip.Prefix{netip.MustParsePrefix("10.96.0.1/32"), netip.MustParsePrefix("fd00:96::/112")},
		Lookup: lookup(func(context.Context) ([]netip.Addr, error) {
			found := []netip.Addr{}
			for _, address := range addresses {
				found = append(found, netip.MustParseAddr(address))
			}
			return found, nil
		}),
	}
}

// lookup is a resolver that answers the same to every name.
type lookup func(ctx context.Context) ([]netip.Addr, error)

func (l lookup) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) { return l(ctx) }

func TestATargetThatItsSecretPinsResolves(t *testing.T) {
	t.Parallel()
	got, err := resolver(secret(), "10.0.0.9", "10.0.0.8", "10.0.0.9").Resolve(t.Context(), accessTarget())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"10.0.0.8", "10.0.0.9"}, got.Addresses); diff != "" {
		t.Error(diff)
	}
	if got.Admin.Username != "admin" || got.Admin.Password != "s3cret" || got.Spec.Postgres.Host != "db.example.com" {
		t.Errorf("got %+v", got)
	}
}

func TestATargetWithoutASecretSaysHowToMakeIt(t *testing.T) {
	t.Parallel()
	_, err := resolver(nil, "10.0.0.9").Resolve(t.Context(), accessTarget())
	wantReason(t, err, v1alpha1.ReasonNoSecret)
	const command = "kubectl -n sallyport-targets create secret generic payments.orders --from-literal=host=db.example.com" +
		" --from-literal=port=5432 --from-file=ca.crt=ca.crt --from-file=username=username --from-file=password=password"
	if !strings.Contains(err.Error(), command) {
		t.Errorf("says %s", err)
	}
}

func TestOP2_ANamespaceAdministratorCannotSendTheLoginElsewhereOrWeakenItsProtection(t *testing.T) {
	t.Parallel()
	for name, adjust := range map[string]func(*v1alpha1.PostgresTarget){
		"another host":                  func(p *v1alpha1.PostgresTarget) { p.Host = "evil.example.com" },
		"another port":                  func(p *v1alpha1.PostgresTarget) { p.Port = 5433 },
		"another authority":             func(p *v1alpha1.PostgresTarget) { p.TLS.CABundle = strings.Replace(ca, "MIIB", "MIIC", 1) },
		"one authority more":            func(p *v1alpha1.PostgresTarget) { p.TLS.CABundle += ca },
		"any public authority":          func(p *v1alpha1.PostgresTarget) { p.TLS.CABundle = "" },
		"any name of the authority":     func(p *v1alpha1.PostgresTarget) { p.TLS.Mode = v1alpha1.PostgresTLSVerifyCA },
		"plaintext":                     func(p *v1alpha1.PostgresTarget) { p.TLS = v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSDisable} },
		"the login itself, as a task's": func(p *v1alpha1.PostgresTarget) { p.Credential = v1alpha1.CredentialStatic },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := accessTarget()
			adjust(target.Spec.Postgres)
			got, err := resolver(secret(), "10.0.0.9").Resolve(t.Context(), target)
			wantReason(t, err, v1alpha1.ReasonMismatch)
			if got.Admin.Password != "" || err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Error("the login came out")
			}
		})
	}
}

func TestOP2_PlaintextStaysThePlatformsChoiceWithoutAnAuthorityToo(t *testing.T) {
	t.Parallel()
	public := secret()
	delete(public.Data, "ca.crt")
	target := accessTarget()
	target.Spec.Postgres.TLS = v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSDisable}
	_, err := resolver(public, "10.0.0.9").Resolve(t.Context(), target)
	wantReason(t, err, v1alpha1.ReasonMismatch)
	public.Data["tls-mode"] = []byte("Disable")
	if _, err := resolver(public, "10.0.0.9").Resolve(t.Context(), target); err != nil {
		t.Error(err)
	}
}

func TestOP2_ATargetOfAnotherNamespaceHasAnotherSecret(t *testing.T) {
	t.Parallel()
	target := accessTarget()
	target.Namespace = "attackers"
	_, err := resolver(secret(), "10.0.0.9").Resolve(t.Context(), target)
	wantReason(t, err, v1alpha1.ReasonNoSecret)
}

func TestOP2_NoPathLeadsToTheOperatorsOwnOrLocalAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "0.0.0.1", "::", "169.254.169.254", "fe80::1", "fe80::1%eth0",
		"224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001::1",
		"10.96.0.1", "::ffff:10.96.0.1", "fd00:96::1",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			_, err := resolver(secret(), "10.0.0.9", address).Resolve(t.Context(), accessTarget())
			wantReason(t, err, v1alpha1.ReasonInvalid)

			target, literal := accessTarget(), secret()
			target.Spec.Postgres.Host, literal.Data["host"] = address, []byte(address)
			_, err = resolver(literal).Resolve(t.Context(), target)
			wantReason(t, err, v1alpha1.ReasonInvalid)
		})
	}
}

func TestALookUpThatFailsOrHangsIsUnreachable(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]lookup{
		"fails":   func(context.Context) ([]netip.Addr, error) { return nil, errors.New("no such host") },
		"nothing": func(context.Context) ([]netip.Addr, error) { return nil, nil },
		"hangs":   func(ctx context.Context) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := resolver(secret())
			r.Lookup, r.Timeout = answer, 20*time.Millisecond
			_, err := r.Resolve(t.Context(), accessTarget())
			wantReason(t, err, v1alpha1.ReasonUnreachable)
		})
	}
}

func TestASecretWithoutALoginIsRefused(t *testing.T) {
	t.Parallel()
	for name, adjust := range map[string]func(map[string][]byte){
		"no user":     func(d map[string][]byte) { delete(d, "username") },
		"no password": func(d map[string][]byte) { delete(d, "password") },
		"half a pair": func(d map[string][]byte) { delete(d, "password"); d["tls.crt"] = []byte("x") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := secret()
			adjust(s.Data)
			_, err := resolver(s, "10.0.0.9").Resolve(t.Context(), accessTarget())
			wantReason(t, err, v1alpha1.ReasonNoSecret)
		})
	}
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Reason != reason {
		t.Errorf("got %v, want reason %s", err, reason)
	}
}

func TestOP2_ASecretBoundsTheDatabasesThatTasksMayBeGiven(t *testing.T) {
	t.Parallel()
	target := accessTarget()
	target.Spec.Postgres.Databases = []string{"orders", "payroll", "or"}
	for pinned, want := range map[string][]string{
		"orders\n": {"orders"}, "payroll\r\norders": {"orders", "payroll"}, "orders, payroll": {}, "": {},
	} {
		s := secret()
		s.Data[KeyDatabases] = []byte(pinned)
		got, err := resolver(s, "10.0.0.9").Resolve(t.Context(), target)
		if err != nil {
			t.Fatalf("%q: a teardown must not depend on it: %v", pinned, err)
		}
		if diff := cmp.Diff(want, got.Spec.Postgres.Databases); diff != "" {
			t.Errorf("%q: %s", pinned, diff)
		}
		wantReason(t, Withheld(target, got), v1alpha1.ReasonMismatch)
	}
	all, err := resolver(secret(), "10.0.0.9").Resolve(t.Context(), target)
	if err != nil || Withheld(target, all) != nil || len(all.Spec.Postgres.Databases) != 3 {
		t.Errorf("a Secret that names none: %v, %v", all.Spec.Postgres.Databases, err)
	}
}
