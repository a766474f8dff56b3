package ssh

import (
	"crypto/rsa"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func noonIssuer(t testing.TB) *Issuer {
	issuer := newIssuer(t, 0)
	issuer.Now = func() time.Time { return noon }
	return issuer
}

func someTarget(t testing.TB) credential.Target { return targetAt(22, newSigner(t).PublicKey()) }

func askedFor(t testing.TB) CertificateRequest {
	return CertificateRequest{
		UID: taskUID, Key: newSigner(t).PublicKey(), Login: "deploy", Grant: grantFor("deploy").SSH, Deadline: noon.Add(time.Hour),
	}
}

func TestACertificateSaysWhatItsTaskMayAndNoMore(t *testing.T) {
	t.Parallel()
	issuer, target, request := noonIssuer(t), someTarget(t), askedFor(t)
	certificate, err := issuer.Certify(target, request)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := issuer.Authority(target)
	if err != nil {
		t.Fatal(err)
	}
	want := &ssh.Certificate{
		Key: request.Key, Serial: Serial(taskUID), CertType: ssh.UserCert, KeyId: "sallyport-" + taskUID,
		ValidPrincipals: []string{"deploy"},
		ValidAfter:      uint64(noon.Add(-time.Minute).Unix()), ValidBefore: uint64(noon.Add(3 * time.Minute).Unix()),
		Permissions: ssh.Permissions{
			CriticalOptions: map[string]string{"source-address": "127.0.0.1/32"},
			Extensions:      map[string]string{"permit-pty": ""},
		},
		SignatureKey: authority, Nonce: certificate.Nonce, Signature: certificate.Signature,
	}
	if diff := cmp.Diff(want.Marshal(), certificate.Marshal()); diff != "" {
		t.Errorf("got %+v, want %+v", certificate, want)
	}
	checker := ssh.CertChecker{Clock: issuer.Now, SupportedCriticalOptions: []string{"source-address"}}
	if err := checker.CheckCert("deploy", certificate); err != nil {
		t.Error(err)
	}
}

func TestSSH2_ACertificateIsForOneGrantedLoginAlone(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"", "root", "audit", "deploy,root", "deploy\nroot", "deploy\x00", " deploy", "deploy ", "*", strings.Repeat("a", 33)} {
		request := askedFor(t)
		request.Login = login
		if _, err := noonIssuer(t).Certify(someTarget(t), request); !errors.Is(err, credential.ErrGrant) {
			t.Errorf("login %q: error %v, want %v", login, err, credential.ErrGrant)
		}
		// Nor where grant and target name it: they are looked at again.
		if login == "root" || login == "audit" {
			continue
		}
		target := someTarget(t)
		target.Spec.SSH.Logins = append(target.Spec.SSH.Logins, login)
		request.Grant = &v1alpha1.SSHGrant{Logins: []string{"deploy", login}}
		if _, err := noonIssuer(t).Certify(target, request); !errors.Is(err, credential.ErrGrant) {
			t.Errorf("login %q, granted: error %v, want %v", login, err, credential.ErrGrant)
		}
	}
}

func TestSSH2_ALoginThatTheTargetDoesNotOfferIsRefused(t *testing.T) {
	t.Parallel()
	request := askedFor(t)
	request.Login, request.Grant = "root", grantFor("root").SSH
	if _, err := noonIssuer(t).Certify(someTarget(t), request); !errors.Is(err, credential.ErrGrant) {
		t.Errorf("certify: error %v", err)
	}
	for _, grant := range []v1alpha1.Grant{grantFor("root"), grantFor(), {}} {
		if _, err := noonIssuer(t).Issue(t.Context(), someTarget(t), credential.Request{UID: taskUID, Grant: grant}); !errors.Is(err, credential.ErrGrant) {
			t.Errorf("issue %+v: error %v", grant.SSH, err)
		}
	}
}

func TestSSH2_ACertificateEndsWithItsTaskAndIsNeverForEver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		seconds  int32
		deadline time.Time
		want     time.Time // zero: refused
	}{
		"as the target has it":     {60, noon.Add(time.Hour), noon.Add(time.Minute)},
		"by default":               {0, noon.Add(time.Hour), noon.Add(180 * time.Second)},
		"of negative seconds":      {-5, noon.Add(time.Hour), noon.Add(180 * time.Second)},
		"of too many seconds":      {1 << 30, noon.AddDate(100, 0, 0), noon.Add(time.Hour)},
		"until the task's end":     {180, noon.Add(20*time.Second + time.Millisecond), noon.Add(20 * time.Second)},
		"of a task without an end": {180, time.Time{}, time.Time{}},
		"of a task that is over":   {180, noon, time.Time{}},
		"of a task long over":      {180, noon.Add(-time.Hour), time.Time{}},
		"within a second":          {180, noon.Add(time.Millisecond), time.Time{}},
		"before the epoch":         {180, time.Unix(-5, 0), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, request := someTarget(t), askedFor(t)
			target.Spec.SSH.CertificateSeconds, request.Deadline = test.seconds, test.deadline
			certificate, err := noonIssuer(t).Certify(target, request)
			switch {
			case test.want.IsZero() && !errors.Is(err, credential.ErrGrant):
				t.Errorf("error %v, want %v", err, credential.ErrGrant)
			case !test.want.IsZero() && err != nil:
				t.Error(err)
			case err == nil && certificate.ValidBefore != uint64(test.want.Unix()):
				t.Errorf("good until %v, want %v", time.Unix(int64(certificate.ValidBefore), 0).UTC(), test.want)
			case err == nil && certificate.ValidAfter != uint64(noon.Add(-time.Minute).Unix()):
				t.Errorf("good from %v", time.Unix(int64(certificate.ValidAfter), 0).UTC())
			}
		})
	}
}

func TestSSH2_WhatIsNoPlainStrongKeyIsNotCertified(t *testing.T) {
	t.Parallel()
	issuer, target := noonIssuer(t), someTarget(t)
	weak, err := ssh.NewPublicKey(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(3), 1022), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]ssh.PublicKey{
		"none":                     nil,
		"RSA of 1024 bits":         weak,
		"DSA":                      dsaKey{},
		"a certificate":            certified(t, issuer, target, "deploy").PublicKey(),
		"a certificate in another": &ssh.Certificate{Key: &ssh.Certificate{Key: newSigner(t).PublicKey()}},
	} {
		request := askedFor(t)
		request.Key = key
		if _, err := issuer.Certify(target, request); !errors.Is(err, credential.ErrGrant) {
			t.Errorf("%s: error %v, want %v", name, err, credential.ErrGrant)
		}
	}
}

type dsaKey struct{ ssh.PublicKey }

func (dsaKey) Type() string { return "ssh-dss" }

func TestSSH2_EachTargetHasItsOwnAuthority(t *testing.T) {
	t.Parallel()
	host := newSigner(t).PublicKey()
	seen := map[string]string{}
	note := func(name string, issuer *Issuer, change func(*credential.Target)) {
		target := targetAt(22, host)
		change(&target)
		authority, err := issuer.Authority(target)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[line(authority)]; ok {
			t.Errorf("%s and %s have the same authority", name, other)
		}
		seen[line(authority)] = name
	}
	issuer := newIssuer(t, 0)
	note("bastion", issuer, func(*credential.Target) {})
	note("another name", issuer, func(target *credential.Target) { target.Name = "other" })
	note("another namespace", issuer, func(target *credential.Target) { target.Namespace = "other" })
	note("another host", issuer, func(target *credential.Target) { target.Spec.SSH.Host = "127.0.0.2" })
	note("another port", issuer, func(target *credential.Target) { target.Spec.SSH.Port = 2222 })
	other := newIssuer(t, 0)
	other.Installation = "ffffffff"
	note("another installation", other, func(*credential.Target) {})
	third := newIssuer(t, 0)
	third.Master = append([]byte{1}, third.Master[1:]...)
	note("another master key", third, func(*credential.Target) {})

	again, err := newIssuer(t, time.Hour).Authority(targetAt(22, newSigner(t).PublicKey()))
	if err != nil || seen[line(again)] != "bastion" {
		t.Errorf("the authority of bastion is not the same every time: error %v", err)
	}
}

func TestTheExtensionsAreThoseThatTheGrantNeeds(t *testing.T) {
	t.Parallel()
	const pty, forward, agent, x11 = "permit-pty", "permit-port-forwarding", "permit-agent-forwarding", "permit-X11-forwarding"
	any := []v1alpha1.ForwardGrant{{Host: "*"}}
	for name, test := range map[string]struct {
		grant v1alpha1.SSHGrant
		want  []string
	}{
		"commands":   {v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{{Argv: []string{"uptime"}}}}, nil},
		"files":      {v1alpha1.SSHGrant{Files: []v1alpha1.FileGrant{{Path: "/srv/**"}}}, nil},
		"restricted": {v1alpha1.SSHGrant{Shell: v1alpha1.ShellRestricted}, nil},
		"shell":      {v1alpha1.SSHGrant{Shell: v1alpha1.ShellRecorded}, []string{pty}},
		"terminal":   {v1alpha1.SSHGrant{Terminal: true}, []string{pty}},
		"forwards":   {v1alpha1.SSHGrant{Forwards: any}, []string{forward}},
		"listeners":  {v1alpha1.SSHGrant{Listeners: any}, []string{forward}},
		"sockets":    {v1alpha1.SSHGrant{Sockets: []v1alpha1.SocketGrant{{Path: "/run/x"}}}, []string{forward}},
		"agent":      {v1alpha1.SSHGrant{AgentForwarding: true}, []string{agent}},
		"x11":        {v1alpha1.SSHGrant{X11Forwarding: true}, []string{x11}},
		"all":        {v1alpha1.SSHGrant{Unrestricted: true}, []string{pty, forward, agent, x11}},
	} {
		want := map[string]string{}
		for _, extension := range test.want {
			want[extension] = ""
		}
		if diff := cmp.Diff(want, extensions(&test.grant)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestACertificateIsGoodFromTheProxysAddressesAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		target, proxy []string
		want          string // empty: refused
	}{
		"the target's":           {[]string{"10.1.2.3/8", "fd00::1/64"}, []string{"192.0.2.1"}, "10.0.0.0/8,fd00::/64"},
		"the proxy's":            {nil, []string{"192.0.2.1", "2001:db8::1", "192.0.2.1/32"}, "192.0.2.1/32,2001:db8::1/128"},
		"an IPv4 address in v6":  {nil, []string{"::ffff:192.0.2.1"}, "192.0.2.1/32"},
		"nobody's":               {nil, nil, ""},
		"a name":                 {nil, []string{"localhost"}, ""},
		"of one link":            {nil, []string{"fe80::1%eth0"}, ""},
		"one that smuggles":      {nil, []string{"192.0.2.1,0.0.0.0/0"}, ""},
		"negated":                {nil, []string{"!192.0.2.1"}, ""},
		"an IPv4 network in v6":  {[]string{"::ffff:10.0.0.0/104"}, nil, ""},
		"one bad among the good": {nil, []string{"192.0.2.1", ""}, ""},
	} {
		target, request := someTarget(t), askedFor(t)
		target.Spec.SSH.SourceAddresses, request.SourceAddresses = test.target, test.proxy
		certificate, err := noonIssuer(t).Certify(target, request)
		switch {
		case test.want == "" && !errors.Is(err, credential.ErrUnsupported):
			t.Errorf("%s: error %v, want %v", name, err, credential.ErrUnsupported)
		case test.want != "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case err == nil && certificate.CriticalOptions["source-address"] != test.want:
			t.Errorf("%s: %q, want %q", name, certificate.CriticalOptions["source-address"], test.want)
		}
	}
}

func TestAKeyIDCannotWriteIntoTheTargetsLog(t *testing.T) {
	t.Parallel()
	for _, uid := range []string{"", "x\nAccepted publickey for root", "a b", strings.Repeat("a", 64), "ü"} {
		request := askedFor(t)
		request.UID = uid
		if _, err := noonIssuer(t).Certify(someTarget(t), request); !errors.Is(err, credential.ErrGrant) {
			t.Errorf("UID %q: error %v, want %v", uid, err, credential.ErrGrant)
		}
	}
}

func TestAnIssuerWantsItsOptions(t *testing.T) {
	t.Parallel()
	good := noonIssuer(t).Options
	for name, change := range map[string]func(*Options){
		"no installation":    func(o *Options) { o.Installation = "" },
		"a short master key": func(o *Options) { o.Master = make([]byte, 31) },
		"no clock":           func(o *Options) { o.Now = nil },
		"no dialer":          func(o *Options) { o.Dial = nil },
	} {
		options := good
		change(&options)
		if _, err := New(options); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	target := someTarget(t)
	target.Spec.SSH = nil
	if _, err := noonIssuer(t).Authority(target); !errors.Is(err, credential.ErrUnsupported) {
		t.Errorf("an authority for what is not SSH: error %v", err)
	}
}
