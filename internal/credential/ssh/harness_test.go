package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/sshtest"
)

const (
	installation = "0123abcd"
	taskUID      = "6f1d2c3b-0a1b-4c5d-8e9f-001122334455"
)

// newIssuer has a clock that is off the machine's by so much.
func newIssuer(t testing.TB, off time.Duration) *Issuer {
	t.Helper()
	issuer, err := New(Options{
		Installation: installation, Master: bytes.Repeat([]byte{7}, 32),
		Now:  func() time.Time { return time.Now().Add(off) },
		Dial: (&net.Dialer{}).DialContext,
	})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func newSigner(t testing.TB) ssh.Signer {
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

func line(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

// targetAt is the AccessTarget of a server.
func targetAt(port int, hostKey ssh.PublicKey) credential.Target {
	return credential.Target{
		Name: "bastion", Namespace: "payments", Addresses: []string{"127.0.0.1"},
		Spec: v1alpha1.AccessTargetSpec{SSH: &v1alpha1.SSHTarget{
			Host: "127.0.0.1", Port: int32(port), HostKeys: []string{line(hostKey)}, Logins: []string{"deploy", "audit"},
			Credential: v1alpha1.CredentialCertificate, CertificateSeconds: 180, SourceAddresses: []string{"127.0.0.1/32"},
		}},
	}
}

// startTrusting starts an sshd that trusts the authority of its own target.
func startTrusting(t testing.TB, issuer *Issuer, config ...string) (*sshtest.Server, credential.Target) {
	t.Helper()
	server := sshtest.Start(t, sshtest.Options{Config: config})
	target := targetAt(server.Port, server.HostKey)
	trust(t, server, issuer, target)
	return server, target
}

func trust(t testing.TB, server *sshtest.Server, issuer *Issuer, target credential.Target) {
	t.Helper()
	authority, err := issuer.Authority(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.SetCAKeys(authority); err != nil {
		t.Fatal(err)
	}
}

func grantFor(logins ...string) v1alpha1.Grant {
	return v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: logins, Shell: v1alpha1.ShellRecorded}}
}

// certified is a key with a certificate of the issuer, as a proxy would have it.
func certified(t testing.TB, issuer *Issuer, target credential.Target, login string) ssh.Signer {
	t.Helper()
	key := newSigner(t)
	certificate, err := issuer.Certify(target, CertificateRequest{
		UID: taskUID, Key: key.PublicKey(), Login: login, Grant: grantFor("deploy", "audit").SSH, Deadline: issuer.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// logIn opens a session from an address of this machine, and runs a command.
func logIn(server *sshtest.Server, from, login string, signer ssh.Signer) error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	raw, err := dialer.DialContext(context.Background(), "tcp", server.Address())
	if err != nil {
		return err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	conn, channels, requests, err := ssh.NewClientConn(raw, server.Address(), &ssh.ClientConfig{
		User: login, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(server.HostKey),
	})
	if err != nil {
		return err
	}
	client := ssh.NewClient(conn, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	return session.Run("true")
}

// serve runs a server of x/crypto, for what no sshd would do.
func serve(t *testing.T, change func(*ssh.ServerConfig)) credential.Target {
	t.Helper()
	host := newSigner(t)
	config := &ssh.ServerConfig{ServerVersion: "SSH-2.0-Strange"}
	config.AddHostKey(host)
	change(config)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-served })
	go func() {
		defer close(served)
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
			if conn, _, _, err := ssh.NewServerConn(raw, config); err == nil {
				_ = conn.Wait()
			}
			raw.Close()
		}
	}()
	return targetAt(listener.Addr().(*net.TCPAddr).Port, host.PublicKey())
}
