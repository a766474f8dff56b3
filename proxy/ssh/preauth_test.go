package ssh

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// liar offers one key, and signs with another (CVE-2024-45337).
type liar struct {
	ssh.Signer
	offered ssh.PublicKey
}

func (l liar) PublicKey() ssh.PublicKey { return l.offered }

func TestSSH1_OnlyTheKeyThatWasProvedCounts(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	named, other := signer(t, b.Key), newSigner(t)
	ecdsa := signer(t, sessiontest.NewKey(t, "mallory"))
	for name, signers := range map[string][]ssh.Signer{
		"the named key is offered, another signs":          {liar{ecdsa, named.PublicKey()}},
		"the named key is offered, then another is proved": {liar{ecdsa, named.PublicKey()}, other},
		"another is proved":                                {other},
	} {
		c := config(t, b.Key)
		c.Auth = []ssh.AuthMethod{ssh.PublicKeys(signers...)}
		if client, err := ssh.Dial("tcp", b.address, c); err == nil {
			_ = client.Close()
			t.Errorf("%s, and the client is in", name)
		}
	}
	if list := b.Recordings.Sessions(); len(list) != 0 {
		t.Error("a session began:", list)
	}
	// An agent with many keys is no attack.
	c := config(t, b.Key)
	many := []ssh.Signer{other, newSigner(t), newSigner(t), newSigner(t), newSigner(t), newSigner(t), newSigner(t), named}
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(many...)}
	client, err := ssh.Dial("tcp", b.address, c)
	if err != nil {
		t.Fatal("a client with the named key among others:", err)
	}
	_ = client.Close()
	for _, event := range b.events(t) {
		if event.Start != nil && event.Start.Proof != "key "+ssh.FingerprintSHA256(named.PublicKey()) {
			t.Error("the proof is", event.Start.Proof)
		}
	}
}

func TestSSH1_ACertificateOfANamedKeyIsNoKey(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	certificate := &ssh.Certificate{Key: signer(t, b.Key).PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"deploy"}, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, newSigner(t)); err != nil {
		t.Fatal(err)
	}
	made, err := ssh.NewCertSigner(certificate, signer(t, b.Key))
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, b.Key)
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(made)}
	if client, err := ssh.Dial("tcp", b.address, c); err == nil {
		_ = client.Close()
		t.Error("it was taken")
	}
}

func TestATokenIsTakenThreeTimesAtMost(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	asked := 0
	try := func(token string, times int) error {
		asked = 0
		c := config(t, b.Key)
		c.Auth = []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.KeyboardInteractive(
			func(_, _ string, questions []string, echos []bool) ([]string, error) {
				if len(questions) == 0 {
					return nil, nil
				}
				if asked++; questions[0] != "Token: " || echos[0] {
					t.Errorf("asked %q, echo %t", questions, echos)
				}
				return []string{token}, nil
			}), times)}
		client, err := ssh.Dial("tcp", b.address, c)
		if err == nil {
			_ = client.Close()
		}
		return err
	}
	if err := try(sessiontest.Token.Reveal(), 1); err != nil {
		t.Error("the requester's token:", err)
	}
	if err := try("guess", 10); err == nil || asked > 4 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestALoginThatIsNotGrantedIsToldWhichAre(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	c := config(t, b.Key)
	c.User = "root"
	var banner string
	c.BannerCallback = func(message string) error { banner += message; return nil }
	if _, err := ssh.Dial("tcp", b.address, c); err == nil || !strings.Contains(banner, "log in as deploy") {
		t.Errorf("%v: %q", err, banner)
	}
}

// cut waits until the proxy has closed a connection, and returns how long that took.
func cut(t *testing.T, conn net.Conn, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	if err := conn.SetReadDeadline(began.Add(within)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection is open after %s", within)
	}
	return time.Since(began)
}

func TestSSH7_ASlowHandshakeIsCutInTime(t *testing.T) {
	t.Parallel()
	needTarget(t)
	b := serve(t, func(_ *Options, o *session.Options) { o.HandshakeSeconds = 1 })
	b.grant(unrestricted())
	for name, first := range map[string]string{"nothing": "", "a version": "SSH-2.0-slow\r\n", "half a version": "SSH-2.0-slo"} {
		conn, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, first); err != nil {
			t.Fatal(err)
		}
		if took := cut(t, conn, patience); took > 5*time.Second {
			t.Errorf("%s: cut after %s", name, took)
		}
	}
}

func TestSSH7_NothingLargeIsTakenBeforeAuthentication(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	for name, bytes := range map[string][]byte{
		"an endless version":  bytes.Repeat([]byte("x"), 1<<20),
		"endless lines":       bytes.Repeat([]byte("line\r\n"), 1<<18),
		"a packet of 4 GiB":   append([]byte("SSH-2.0-x\r\n"), 0xff, 0xff, 0xff, 0xff, 4),
		"a packet of 300 KiB": append([]byte("SSH-2.0-x\r\n"), 0, 4, 0xb0, 0, 4),
	} {
		conn, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write(bytes)
		if took := cut(t, conn, patience); took > 5*time.Second {
			t.Errorf("%s: cut after %s", name, took)
		}
	}
}

func TestSSH7_AHugeKeyIsRefusedUnproved(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	// Of a size that takes long to verify, and not to make: its parts mean nothing.
	public, err := ssh.NewPublicKey(&rsa.PublicKey{N: hugeModulus(), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, b.Key)
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(liar{newSigner(t), public})}
	began := time.Now()
	if client, err := ssh.Dial("tcp", b.address, c); err == nil {
		_ = client.Close()
		t.Error("it was taken")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("refused after %s", took)
	}
}

func TestSSH7_AFloodOfOffersEnds(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	var signers []ssh.Signer
	for range 200 {
		signers = append(signers, newSigner(t))
	}
	c := config(t, b.Key)
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(signers...)}
	_, err := ssh.Dial("tcp", b.address, c)
	if err == nil || !strings.Contains(fmt.Sprint(err), "too many") {
		t.Errorf("it ended with %v", err)
	}
}
