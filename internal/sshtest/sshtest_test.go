package sshtest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/sshtest"
)

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func dial(s *sshtest.Server, login string, methods ...ssh.AuthMethod) (*ssh.Client, error) {
	return ssh.Dial("tcp", s.Address(), &ssh.ClientConfig{
		User: login, Auth: methods, HostKeyCallback: ssh.FixedHostKey(s.HostKey),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: 10 * time.Second,
	})
}

func run(t *testing.T, client *ssh.Client, command string) string {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	out, err := session.CombinedOutput(command)
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

func certificate(t *testing.T, ca, key ssh.Signer, principal string) ssh.Signer {
	t.Helper()
	c := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.UserCert, Serial: 7, KeyId: "test", ValidPrincipals: []string{principal},
		ValidAfter: uint64(time.Now().Add(-time.Minute).Unix()), ValidBefore: uint64(time.Now().Add(time.Minute).Unix()),
	}
	if err := c.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestACertificateOfATrustedAuthorityLogsInAsItsPrincipalOnly(t *testing.T) {
	t.Parallel()
	ca, key := newSigner(t), newSigner(t)
	s := sshtest.Start(t, sshtest.Options{CAKeys: []ssh.PublicKey{ca.PublicKey()}})
	signer := certificate(t, ca, key, "deploy")
	client, err := dial(s, "deploy", ssh.PublicKeys(signer))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if got := run(t, client, "id -un; pwd; stat -c %U ."); got != "deploy\n"+s.Home("deploy")+"\ndeploy" {
		t.Errorf("got %q", got)
	}
	if _, err := dial(s, "audit", ssh.PublicKeys(signer)); err == nil {
		t.Error("deploy's certificate logs audit in")
	}
	if err := s.SetRevokedKeys(ssh.MarshalAuthorizedKey(key.PublicKey())); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(s, "deploy", ssh.PublicKeys(signer)); err == nil {
		t.Error("a revoked key logs in")
	}
}

func TestPlainKeysAndPasswordsBelongToOneLogin(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	s := sshtest.Start(t, sshtest.Options{
		AuthorizedKeys: map[string][]ssh.PublicKey{"audit": {key.PublicKey()}},
		Passwords:      map[string]string{"deploy": "throwaway"},
	})
	for login, method := range map[string]ssh.AuthMethod{"audit": ssh.PublicKeys(key), "deploy": ssh.Password("throwaway")} {
		client, err := dial(s, login, method)
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, client, "id -un"); got != login {
			t.Errorf("got %q", got)
		}
		_ = client.Close()
	}
	if _, err := dial(s, "deploy", ssh.PublicKeys(key)); err == nil {
		t.Error("audit's key logs deploy in")
	}
	if _, err := dial(s, "audit", ssh.Password("throwaway")); err == nil {
		t.Error("deploy's password logs audit in")
	}
}

func TestAHostCertificateNamesTheServer(t *testing.T) {
	t.Parallel()
	ca, key := newSigner(t), newSigner(t)
	s := sshtest.Start(t, sshtest.Options{HostCA: ca, AuthorizedKeys: map[string][]ssh.PublicKey{"deploy": {key.PublicKey()}}})
	checker := &ssh.CertChecker{IsHostAuthority: func(auth ssh.PublicKey, _ string) bool {
		return bytes.Equal(auth.Marshal(), ca.PublicKey().Marshal())
	}}
	client, err := ssh.Dial("tcp", s.Address(), &ssh.ClientConfig{
		User: "deploy", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: checker.CheckHostKey,
		HostKeyAlgorithms: []string{ssh.CertAlgoED25519v01},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
}

func TestATerminalSaysTheSameOnEveryMachine(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	s := sshtest.Start(t, sshtest.Options{AuthorizedKeys: map[string][]ssh.PublicKey{"deploy": {key.PublicKey()}}})
	client, err := dial(s, "deploy", ssh.PublicKeys(key))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RequestPty("vt100", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	session.Stdout = &output
	input, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(input, "tty >/dev/null && exit 7\n"); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(output.String(), "$ ") {
		t.Errorf("got %q", output.String())
	}
}

func TestStopEndsSessionsAndTheMachineHearsOfNone(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	s := sshtest.Start(t, sshtest.Options{AuthorizedKeys: map[string][]ssh.PublicKey{"deploy": {key.PublicKey()}}})
	client, err := dial(s, "deploy", ssh.PublicKeys(key))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	ready, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("setsid --wait sh -c 'echo ready; exec sleep 300'"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(ready, make([]byte, len("ready"))); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if err := session.Wait(); err == nil {
		t.Error("the session goes on")
	}
	if _, err := net.DialTimeout("tcp", s.Address(), time.Second); err == nil {
		t.Error("a stopped server listens")
	}
	for _, file := range []string{"passwd", "shadow", "group"} {
		content, err := os.ReadFile(filepath.Join("/etc", file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), s.Home("deploy")) {
			t.Errorf("the machine's %s has deploy", file)
		}
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	again, err := dial(s, "deploy", ssh.PublicKeys(key))
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

func TestConfigCountsBeforeOursAndMatchGoesLast(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	keys := map[string][]ssh.PublicKey{"deploy": {key.PublicKey()}, "audit": {key.PublicKey()}}
	s := sshtest.Start(t, sshtest.Options{AuthorizedKeys: keys, Config: []string{
		"AcceptEnv NOTHING", "Match User audit", "ForceCommand echo forced",
	}})
	for login, want := range map[string]string{"audit": "forced", "deploy": "asked"} {
		client, err := dial(s, login, ssh.PublicKeys(key))
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, client, "echo asked"); got != want {
			t.Errorf("%s got %q", login, got)
		}
		_ = client.Close()
	}
}
