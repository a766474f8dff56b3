package session_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func client(t *testing.T, task *sessiontest.Task) *session.Session {
	t.Helper()
	s := task.NewSession(&net.TCPAddr{})
	t.Cleanup(func() { _ = s.Close(nil) })
	return s
}

func TestSSH1_OnlyAKeyThatTheRequestNamesCounts(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted())
	other := sessiontest.NewKey(t, "mallory")
	if err := client(t, task).AuthenticateKey(t.Context(), other.Public()); !errors.Is(err, session.ErrNotRequester) {
		t.Error(err)
	}
	for _, no := range []any{nil, "key", []byte("key")} {
		if err := client(t, task).AuthenticateKey(t.Context(), no); err == nil {
			t.Errorf("%v was taken", no)
		}
	}
	s := client(t, task)
	if err := s.AuthenticateKey(t.Context(), task.Key.Public()); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	events, err := task.Recordings.Events(s.ID())
	if err != nil || !strings.HasPrefix(events[0].Start.Proof, "key SHA256:") || events[0].Start.User != sessiontest.Requester {
		t.Errorf("%+v, %v", events, err)
	}
}

func TestSSH2_ACertificateIsNoKeyAndALineWithOptionsNoLine(t *testing.T) {
	t.Parallel()
	key := sessiontest.NewKey(t, "bob")
	signer, err := ssh.NewSignerFromKey(key.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"bob"}, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	certificateLine := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(certificate)))
	for name, lines := range map[string][]string{
		"options":     {`from="10.0.0.1" ` + key.Line},
		"authority":   {"cert-authority " + key.Line},
		"certificate": {certificateLine},
		"two lines":   {"# nothing\n" + key.Line + "\n" + key.Line},
		"garbage":     {"ssh-ed25519 AAAA", ""},
	} {
		task := sessiontest.New(t, func(sessiontest.Key) grant.State {
			state := granted()(key)
			state.Task.ClientKeys = lines
			return state
		})
		if err := client(t, task).AuthenticateKey(t.Context(), key.Public()); !errors.Is(err, session.ErrNotRequester) {
			t.Errorf("%s: %v", name, err)
		}
	}
	task := sessiontest.New(t, func(sessiontest.Key) grant.State { return granted()(key) })
	if err := client(t, task).AuthenticateKey(t.Context(), certificate); err == nil {
		t.Error("a certificate was taken for its key")
	}
	if err := client(t, task).AuthenticateKey(t.Context(), signer.PublicKey()); err != nil {
		t.Error("the key in SSH's form:", err)
	}
}

func TestShortRSAKeysAreRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(&short.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	task := sessiontest.New(t, func(sessiontest.Key) grant.State {
		return granted()(sessiontest.Key{Line: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))})
	})
	for _, key := range []any{&short.PublicKey, public} {
		if err := client(t, task).AuthenticateKey(t.Context(), key); err == nil || errors.Is(err, session.ErrNotRequester) {
			t.Errorf("%T: %v", key, err)
		}
	}
}

func TestATokenIsTakenFromTheRequesterAlone(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted())
	if err := client(t, task).AuthenticateToken(t.Context(), sessiontest.Token); err != nil {
		t.Error(err)
	}
	for _, token := range []grant.Secret{"", "another"} {
		if err := client(t, task).AuthenticateToken(t.Context(), token); !errors.Is(err, session.ErrNotAuthenticated) {
			t.Errorf("%q: %v", token.Reveal(), err)
		}
	}
	alice := sessiontest.New(t, func(key sessiontest.Key) grant.State {
		state := granted()(key)
		state.Task.Requester = "alice"
		return state
	})
	if err := client(t, alice).AuthenticateToken(t.Context(), sessiontest.Token); !errors.Is(err, session.ErrNotRequester) {
		t.Error(err)
	}
}

func TestAClientMayComeBeforeTheTaskIsKnown(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, nil, func(o *session.Options) { o.HandshakeSeconds = 1 })
	if err := client(t, task).AuthenticateToken(t.Context(), sessiontest.Token); !errors.Is(err, session.ErrHandshake) {
		t.Error(err)
	}
	go task.Update(granted()(task.Key))
	if err := client(t, task).AuthenticateKey(t.Context(), task.Key.Public()); err != nil {
		t.Error(err)
	}
}

func TestSSH7_AConnectionMayFailThreeTimes(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted())
	s := client(t, task)
	for range 3 {
		if err := s.AuthenticateToken(t.Context(), "wrong"); !errors.Is(err, session.ErrNotAuthenticated) {
			t.Error(err)
		}
	}
	if err := s.AuthenticateToken(t.Context(), sessiontest.Token); !errors.Is(err, session.ErrTooManyAttempts) {
		t.Error(err)
	}
	if err := s.AuthenticateKey(t.Context(), task.Key.Public()); !errors.Is(err, session.ErrTooManyAttempts) {
		t.Error(err)
	}
}
