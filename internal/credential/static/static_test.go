package static

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var target = credential.Target{
	Name: "orders", Namespace: "payments",
	Spec:  v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{Databases: []string{"orders"}}},
	Admin: credential.Admin{Username: "app", Password: "hunter2", ClientCertificate: []byte("cert"), ClientKey: []byte("key")},
}

func requestFor(database string) credential.Request {
	return credential.Request{
		UID: "u-1", Generation: 2, ValidUntil: noon.Add(time.Hour),
		Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: database}},
	}
}

type prober struct{ asked string }

func (p *prober) Probe(_ context.Context, target credential.Target) (credential.Findings, error) {
	p.asked = target.Name
	return credential.Findings{ServerVersion: "15.0"}, nil
}

func newIssuer(p Prober) *Issuer { return New(func() time.Time { return noon }, p) }

func TestTheStandingLoginIsHandedOutAsItIs(t *testing.T) {
	t.Parallel()
	issued, err := newIssuer(nil).Issue(t.Context(), target, requestFor("orders"))
	if err != nil {
		t.Fatal(err)
	}
	want := v1alpha1.IssuedCredential{
		Type: v1alpha1.CredentialStatic, Name: "app", Generation: 2, ValidUntil: new(metav1.NewTime(noon.Add(time.Hour))),
	}
	if diff := cmp.Diff(want, issued); diff != "" {
		t.Errorf("issued (-want +got):\n%s", diff)
	}
	login, err := newIssuer(nil).Login(target, requestFor("orders"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(credential.Login{User: "app", Password: "hunter2", ClientCertificate: "cert", ClientKey: "key"}, login); diff != "" {
		t.Errorf("login (-want +got):\n%s", diff)
	}
	if printed := fmt.Sprintf("%v %+v %#v", login, login, login); strings.Contains(printed, "hunter2") {
		t.Errorf("printed, it shows the secret: %s", printed)
	}
}

// No role's privileges stop a standing login at another database: the grant must.
func TestADatabaseThatTheTargetDoesNotOfferIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := newIssuer(nil).Issue(t.Context(), target, requestFor("payroll")); !errors.Is(err, credential.ErrGrant) {
		t.Errorf("error %v, want %v", err, credential.ErrGrant)
	}
	if _, err := newIssuer(nil).Issue(t.Context(), target, credential.Request{}); !errors.Is(err, credential.ErrGrant) {
		t.Errorf("without a grant: error %v, want %v", err, credential.ErrGrant)
	}
}

// To call it absent would be a lie, to wait for its absence endless.
func TestLIFE2_TheEvidenceSaysThatTheLoginStays(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(nil)
	if err := issuer.Revoke(t.Context(), target, requestFor("orders")); err != nil {
		t.Fatal(err)
	}
	evidence, err := issuer.Verify(t.Context(), target, requestFor("orders"))
	if err != nil {
		t.Fatal(err)
	}
	want := credential.Evidence{Standing: true, Message: `static credential: login "app" remains on the target`, CheckedAt: noon}
	if diff := cmp.Diff(want, evidence); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if held, err := issuer.List(t.Context(), target); err != nil || len(held) != 0 {
		t.Errorf("the sweeper would revoke %v (error %v)", held, err)
	}
}

func TestItsTargetIsProbedAsTheProtocolProbesIt(t *testing.T) {
	t.Parallel()
	p := &prober{}
	findings, err := newIssuer(p).Probe(t.Context(), target)
	if err != nil || p.asked != "orders" || findings.ServerVersion != "15.0" {
		t.Errorf("asked %q, found %+v, error %v", p.asked, findings, err)
	}
}

var bastion = credential.Target{
	Name: "bastion", Namespace: "payments",
	Spec:  v1alpha1.AccessTargetSpec{SSH: &v1alpha1.SSHTarget{Logins: []string{"deploy", "audit"}, Credential: v1alpha1.CredentialStatic}},
	Admin: credential.Admin{Username: "deploy", SSHPrivateKey: []byte("hunter2")},
}

func TestAStandingKeyIsHandedOutForLoginsThatTheTargetOffers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		grant v1alpha1.Grant
		want  error
	}{
		"one":                 {v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{"deploy"}}}, nil},
		"both":                {v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{"deploy", "audit"}}}, nil},
		"one and another":     {v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{"deploy", "root"}}}, credential.ErrGrant},
		"none":                {v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{}}, credential.ErrGrant},
		"of another protocol": {v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders"}}, credential.ErrGrant},
	} {
		if _, err := newIssuer(nil).Issue(t.Context(), bastion, credential.Request{UID: "u-1", Grant: test.grant}); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	login, err := newIssuer(nil).Login(bastion, credential.Request{})
	if diff := cmp.Diff(credential.Login{User: "deploy", PrivateKey: "hunter2"}, login); err != nil || diff != "" {
		t.Errorf("error %v, login (-want +got):\n%s", err, diff)
	}
	withPassword := bastion
	withPassword.Admin.Password = "for sudo"
	if with, err := newIssuer(nil).Login(withPassword, credential.Request{}); err != nil || with != login {
		t.Errorf("error %v, a password left the house that opens nothing", err)
	}
	if printed := fmt.Sprintf("%v %+v %#v %v %+v %#v", login, login, login, bastion.Admin, bastion, bastion); strings.Contains(printed, "hunter2") {
		t.Errorf("printed, it shows the secret: %s", printed)
	}
	evidence, err := newIssuer(nil).Verify(t.Context(), bastion, credential.Request{})
	if err != nil || !evidence.Standing || evidence.Absent {
		t.Errorf("evidence %+v, error %v", evidence, err)
	}
}
