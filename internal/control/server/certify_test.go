package server_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/grant"
)

var _ server.Certifier = (*world)(nil)

// Certify implements server.Certifier: deploy is granted while the request is.
func (w *world) Certify(ctx context.Context, uid string, key ssh.PublicKey, login string) (*ssh.Certificate, error) {
	switch state, err := w.tasks.State(ctx, uid); {
	case err != nil:
		return nil, err
	case state.Phase != grant.Granted:
		return nil, fmt.Errorf("%w: the task is not granted", control.ErrNotCertified)
	}
	principal := login
	switch login {
	case "audit":
		return nil, fmt.Errorf("%w: login audit is not granted", control.ErrNotCertified)
	case "confused":
		principal = "root"
	}
	certificate := &ssh.Certificate{CertType: ssh.UserCert, Key: key, ValidPrincipals: []string{principal}, KeyId: uid, Serial: 7}
	authority, err := ssh.NewSignerFromKey(w.root.RecordingKey())
	if err != nil {
		return nil, err
	}
	return certificate, certificate.SignCert(rand.Reader, authority)
}

func sshKey(t *testing.T, private any) ssh.PublicKey {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey()
}

func proxysKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sshKey(t, private)
}

func TestAProxyHasACertificateWhileItsTaskIsGrantedAndNotAMomentLonger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	key := proxysKey(t)
	if _, err := p.Certify(t.Context(), key, "deploy"); !errors.Is(err, control.ErrNotCertified) || !strings.Contains(err.Error(), "is not granted") {
		t.Errorf("before the grant: %v", err)
	}
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(mine) })
	p.next(t)
	certificate, err := p.Certify(t.Context(), key, "deploy")
	if err != nil || certificate.KeyId != mine || certificate.ValidPrincipals[0] != "deploy" {
		t.Fatalf("%+v, %v", certificate, err)
	}
	w.tasks.set(func(k *tasks) { k.err = errDown })
	if _, err := p.Certify(t.Context(), key, "deploy"); err == nil || errors.Is(err, control.ErrNotCertified) || strings.Contains(err.Error(), errDown.Error()) {
		t.Errorf("a failure that may pass: %v", err)
	}
	w.tasks.set(func(k *tasks) { k.err = nil; k.states[mine] = waiting(mine) })
	if _, err := p.Certify(t.Context(), key, "deploy"); !errors.Is(err, control.ErrNotCertified) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestOnlyPlainKeysForGrantedLoginsAreCertified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(mine) })
	p := w.proxy(w.options("mine"))
	p.next(t)
	key := proxysKey(t)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := p.Certify(t.Context(), key, "deploy")
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]struct {
		key   ssh.PublicKey
		login string
	}{
		"another login": {key, "audit"}, "no login": {key, ""}, "two lines": {key, "deploy\nroot"}, "a long one": {key, strings.Repeat("d", 33)},
		"an RSA key": {sshKey(t, old), "deploy"}, "a certificate": {certificate, "deploy"},
	} {
		if _, err := p.Certify(t.Context(), ask.key, ask.login); !errors.Is(err, control.ErrNotCertified) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := p.Certify(t.Context(), key, "confused"); err == nil {
		t.Errorf("a proxy took a certificate for %v", got.ValidPrincipals)
	}
}

func TestAProxyThatAsksForCertificatesWithoutEndIsSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(mine) })
	p := w.proxy(w.options("mine"))
	p.next(t)
	key := proxysKey(t)
	for range 100 {
		if _, err := p.Certify(t.Context(), key, "deploy"); err != nil {
			if errors.Is(err, control.ErrNotCertified) {
				t.Error("being slowed down is no refusal:", err)
			}
			return
		}
	}
	t.Error("100 calls at once were answered")
}
