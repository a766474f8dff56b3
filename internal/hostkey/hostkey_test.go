package hostkey

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signerOf(t, private)
}

func signerOf(t testing.TB, private any) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func line(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

// certify is a host certificate for an hour around noon; change bends it.
func certify(t testing.TB, authority, host ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	certificate := &ssh.Certificate{
		Key: host.PublicKey(), CertType: ssh.HostCert, KeyId: "host", ValidPrincipals: []string{"bastion.example.com"},
		ValidAfter: uint64(noon.Add(-time.Hour).Unix()), ValidBefore: uint64(noon.Add(time.Hour).Unix()),
	}
	if change != nil {
		change(certificate)
	}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(certificate, host)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// handshake runs a client's key exchange with a server that has these host keys.
func handshake(t *testing.T, callback ssh.HostKeyCallback, algorithms []string, hosts ...ssh.Signer) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	t.Cleanup(func() { near.Close(); listener.Close(); <-served })
	go func() {
		defer close(served)
		far, err := listener.Accept()
		if err != nil {
			return
		}
		config := &ssh.ServerConfig{NoClientAuth: true}
		for _, host := range hosts {
			config.AddHostKey(host)
		}
		if conn, _, _, err := ssh.NewServerConn(far, config); err == nil {
			_ = conn.Wait()
		}
		far.Close()
	}()
	conn, _, _, err := ssh.NewClientConn(near, "ignored:22", &ssh.ClientConfig{
		User: "deploy", HostKeyCallback: callback, HostKeyAlgorithms: algorithms,
	})
	if err == nil {
		conn.Close()
	}
	return err
}

func TestSSH4_OnlyAPinnedHostKeyIsTaken(t *testing.T) {
	t.Parallel()
	ours, other := newSigner(t), newSigner(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second := signerOf(t, private)
	callback, algorithms, err := Callback("bastion.example.com:22", []string{line(ours.PublicKey())}, nil, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{ssh.KeyAlgoED25519}, algorithms); diff != "" {
		t.Errorf("algorithms (-want +got):\n%s", diff)
	}
	if err := handshake(t, callback, algorithms, second, ours); err != nil {
		t.Errorf("its key beside another: %v", err)
	}
	err = handshake(t, callback, algorithms, other)
	if _, ok := errors.AsType[*Mismatch](err); !ok {
		t.Fatalf("another key: error %v, want a Mismatch", err)
	}
	for _, fingerprint := range []string{ssh.FingerprintSHA256(ours.PublicKey()), ssh.FingerprintSHA256(other.PublicKey())} {
		if !strings.Contains(err.Error(), fingerprint) {
			t.Errorf("error %q lacks %s", err, fingerprint)
		}
	}
	if err := handshake(t, callback, algorithms, second); err == nil {
		t.Error("a key of another type was taken")
	}
}

func TestSSH4_AHostCertificateMustNameTheHostNowAndByItsAuthority(t *testing.T) {
	t.Parallel()
	authority, host := newSigner(t), newSigner(t)
	user := func(c *ssh.Certificate) { c.CertType = ssh.UserCert }
	names := func(names ...string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.ValidPrincipals = names }
	}
	for name, test := range map[string]struct {
		host   string
		by     ssh.Signer
		change func(*ssh.Certificate)
		want   string
	}{
		"as it should be":        {by: authority},
		"in another case":        {by: authority, change: names("Bastion.Example.COM")},
		"among others":           {by: authority, change: names("other", "bastion.example.com")},
		"host in brackets":       {host: "[bastion.example.com]:2222", by: authority},
		"of an IPv6 address":     {host: "[2001:db8::1]:22", by: authority, change: names("2001:db8::1")},
		"for ever":               {by: authority, change: func(c *ssh.Certificate) { c.ValidBefore = ssh.CertTimeInfinity }},
		"by another authority":   {by: newSigner(t), want: "not one of its own"},
		"of another host":        {by: authority, change: names("other"), want: "does not name"},
		"of every host":          {by: authority, change: names(), want: "does not name"},
		"of names in one string": {by: authority, change: names("bastion.example.com,other"), want: "does not name"},
		"with a pattern":         {by: authority, change: names("*.example.com"), want: "does not name"},
		"of a user":              {by: authority, change: user, want: "a user's certificate"},
		"run out":                {by: authority, change: func(c *ssh.Certificate) { c.ValidBefore = uint64(noon.Unix()) }, want: "expired"},
		"not yet":                {by: authority, change: func(c *ssh.Certificate) { c.ValidAfter = uint64(noon.Add(time.Second).Unix()) }, want: "not yet valid"},
		"with unknown options":   {by: authority, change: func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"x@y": ""} }, want: "critical option"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := test.host
			if at == "" {
				at = "bastion.example.com"
			}
			callback, algorithms, err := Callback(at, nil, []string{line(authority.PublicKey())}, atNoon)
			if err != nil {
				t.Fatal(err)
			}
			err = handshake(t, callback, algorithms, certify(t, test.by, host, test.change))
			if test.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
		})
	}
}

// The key itself is proved by the handshake, whoever else vouches for it.
func TestACertificateOfAPinnedKeyIsTaken(t *testing.T) {
	t.Parallel()
	authority, host := newSigner(t), newSigner(t)
	callback, algorithms, err := Callback("bastion", []string{line(host.PublicKey())}, []string{line(authority.PublicKey())}, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake(t, callback, algorithms, certify(t, newSigner(t), host, nil)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoKeyToPinIsRefused(t *testing.T) {
	t.Parallel()
	weak, err := ssh.NewPublicKey(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(3), 1022), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	good := newSigner(t).PublicKey()
	certificate := certify(t, newSigner(t), newSigner(t), nil).PublicKey()
	for name, lines := range map[string][]string{
		"nothing":          nil,
		"not a key":        {"ssh-ed25519 AAAA"},
		"a weak key":       {line(weak)},
		"a certificate":    {line(certificate)},
		"with options":     {`command="x" ` + line(good)},
		"two in one line":  {line(good) + "\n" + line(good)},
		"of another type":  {strings.Replace(line(good), ssh.KeyAlgoED25519, ssh.KeyAlgoRSA, 1)},
		"without its type": {strings.TrimPrefix(line(good), ssh.KeyAlgoED25519+" ")},
	} {
		if _, _, err := Callback("bastion", lines, nil, atNoon); err == nil {
			t.Errorf("%s: taken as a host key", name)
		}
		if _, _, err := Callback("bastion", nil, lines, atNoon); err == nil {
			t.Errorf("%s: taken as an authority", name)
		}
	}
	if _, _, err := Callback("", []string{line(good)}, nil, atNoon); err == nil {
		t.Error("no host: taken")
	}
}

func TestRSAIsNeverOfferedWithSHA1(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := line(signerOf(t, private).PublicKey())
	_, algorithms, err := Callback("bastion", []string{key, key}, nil, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}, algorithms); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
