package ssh

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/sshtest"
)

func TestAProbeFindsAServerThatTrustsItsAuthority(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	// A server hardened so far still answers all that is asked.
	server, target := startTrusting(t, issuer, "MaxAuthTries 2")
	findings, err := issuer.Probe(t.Context(), target)
	if err != nil {
		t.Fatalf("%v\n%s", err, server.Log())
	}
	if findings.Unsafe != "" || !strings.HasPrefix(findings.ServerVersion, "SSH-2.0-OpenSSH_") {
		t.Errorf("found %+v", findings)
	}
	if log := server.Log(); strings.Contains(log, "Accepted publickey") {
		t.Errorf("the probe logged in:\n%s", log)
	}
}

func TestAProbeSaysWhatToDoWhereTheAuthorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	server := sshtest.Start(t, sshtest.Options{})
	_, err := issuer.Probe(t.Context(), targetAt(server.Port, server.HostKey))
	if !errors.Is(err, credential.ErrAdministrator) || !strings.Contains(err.Error(), "TrustedUserCAKeys") {
		t.Errorf("error %v", err)
	}
}

func TestSSH4_AProbeTakesNoOtherHostKey(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	ca := newSigner(t)
	server := sshtest.Start(t, sshtest.Options{HostCA: ca})
	target := targetAt(server.Port, newSigner(t).PublicKey())
	trust(t, server, issuer, target)
	_, err := issuer.Probe(t.Context(), target)
	if !errors.Is(err, credential.ErrUnreachable) || !strings.Contains(err.Error(), ssh.FingerprintSHA256(server.HostKey)) {
		t.Errorf("another key: error %v", err)
	}
	target.Spec.SSH.HostKeys, target.Spec.SSH.HostAuthorities = nil, []string{line(ca.PublicKey())}
	if _, err := issuer.Probe(t.Context(), target); err != nil {
		t.Errorf("a host certificate: %v", err)
	}
	target.Spec.SSH.HostAuthorities = []string{line(newSigner(t).PublicKey())}
	if _, err := issuer.Probe(t.Context(), target); !errors.Is(err, credential.ErrUnreachable) {
		t.Errorf("another authority's certificate: error %v", err)
	}
	target.Spec.SSH.HostKeys, target.Spec.SSH.HostAuthorities = nil, nil
	if _, err := issuer.Probe(t.Context(), target); err == nil {
		t.Error("nothing is pinned, and it is taken")
	}
}

func TestAServerThatLetsOthersInIsUnsafe(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	certificatesOnly := func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if _, ok := key.(*ssh.Certificate); !ok {
			return nil, errors.New("no certificate")
		}
		return nil, nil
	}
	for name, test := range map[string]struct {
		change func(*ssh.ServerConfig)
		want   string
	}{
		"without proof":        {func(c *ssh.ServerConfig) { c.NoClientAuth = true }, "no proof"},
		"with any certificate": {func(c *ssh.ServerConfig) { c.PublicKeyCallback = certificatesOnly }, "ran out"},
		"with any key": {func(c *ssh.ServerConfig) {
			c.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				if certificate, ok := key.(*ssh.Certificate); ok && certificate.ValidBefore < uint64(time.Now().Unix()) {
					return nil, errors.New("ran out")
				}
				return nil, nil
			}
		}, "anybody's key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := serve(t, test.change)
			findings, err := issuer.Probe(t.Context(), target)
			if err != nil || !strings.Contains(findings.Unsafe, test.want) {
				t.Errorf("found %+v, error %v, want %q", findings, err, test.want)
			}
			if evidence, _ := issuer.Verify(t.Context(), target, over(time.Hour, "deploy")); evidence.Absent && test.want != "anybody's key" {
				t.Errorf("it shows %+v", evidence)
			}
		})
	}
}

func TestAProbeOfAStandingLoginLogsInWithIt(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, 0)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	server := sshtest.Start(t, sshtest.Options{
		AuthorizedKeys: map[string][]ssh.PublicKey{"deploy": {key}}, Passwords: map[string]string{"audit": "hunter2"},
	})
	static := func(admin credential.Admin) credential.Target {
		target := targetAt(server.Port, server.HostKey)
		target.Spec.SSH.Credential, target.Admin = v1alpha1.CredentialStatic, admin
		return target
	}
	for name, test := range map[string]struct {
		admin credential.Admin
		about error
	}{
		"its key":                {credential.Admin{Username: "deploy", SSHPrivateKey: pem.EncodeToMemory(block)}, nil},
		"its password":           {credential.Admin{Username: "audit", Password: "hunter2"}, nil},
		"a wrong password":       {credential.Admin{Username: "audit", Password: "hunter3"}, credential.ErrAdministrator},
		"another's key":          {credential.Admin{Username: "audit", SSHPrivateKey: pem.EncodeToMemory(block)}, credential.ErrAdministrator},
		"something like a key":   {credential.Admin{Username: "deploy", SSHPrivateKey: []byte("hunter2")}, credential.ErrAdministrator},
		"nothing to log in with": {credential.Admin{Username: "deploy"}, credential.ErrAdministrator},
	} {
		findings, err := issuer.Probe(t.Context(), static(test.admin))
		if !errors.Is(err, test.about) || findings.Unsafe != "" || err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: found %+v, error %v, want %v", name, findings, err, test.about)
		}
	}
	open := serve(t, func(c *ssh.ServerConfig) { c.NoClientAuth = true })
	open.Spec.SSH.Credential, open.Admin = v1alpha1.CredentialStatic, credential.Admin{Username: "deploy", Password: "hunter2"}
	if findings, err := issuer.Probe(t.Context(), open); err != nil || !strings.Contains(findings.Unsafe, "no proof") {
		t.Errorf("found %+v, error %v", findings, err)
	}
}

// What a server says ends up in a condition.
func TestAHostileServersWordsAreBounded(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-served })
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("\x1b[2J\r\n" + strings.Repeat("x", 1<<20)))
		conn.Close()
	}()
	target := targetAt(listener.Addr().(*net.TCPAddr).Port, newSigner(t).PublicKey())
	_, err = newIssuer(t, 0).Probe(t.Context(), target)
	if !errors.Is(err, credential.ErrUnreachable) || len(err.Error()) > 1024 || strings.ContainsAny(err.Error(), "\x1b\n\r") {
		t.Errorf("error %q", err)
	}
}
