package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/grant"
)

// maxCertificates bounds how many logins' certificates are kept: a grant names 16 at most.
const maxCertificates = 64

// certificates are those of this process's key, by login. The key is made here, and
// never leaves the process.
type certificates struct {
	mu    sync.Mutex
	key   ssh.Signer
	known map[string]certified
}

type certified struct {
	signer ssh.Signer
	// until is when another is asked for.
	until time.Time
}

// authenticate is how the task proves itself: with what stands in the grant, or with a
// certificate.
func (d *Dialer) authenticate(ctx context.Context, to grant.SSHUpstream, login string) ([]ssh.AuthMethod, error) {
	switch {
	case to.PrivateKey != "":
		signer, err := ssh.ParsePrivateKey([]byte(to.PrivateKey.Reveal()))
		if err != nil {
			// The parser's words might quote what it read.
			return nil, errors.New("the target's private key cannot be read: want OpenSSH's PEM, without a passphrase")
		}
		return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
	case to.Password != "":
		password := to.Password.Reveal()
		return []ssh.AuthMethod{ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, echos []bool) ([]string, error) {
				if len(questions) > 1 || len(questions) == 1 && echos[0] {
					return nil, errors.New("the target asks for more than a password")
				}
				return []string{password}[:len(questions)], nil
			})}, nil
	case d.Certify == nil:
		return nil, errors.New("the grant has no credential for the target, and this proxy has no manager to certify its key")
	}
	signer, err := d.certified(ctx, login)
	if err != nil {
		return nil, err
	}
	return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
}

// certified is the newest certificate of a login; a new one once half of its time is
// gone.
func (d *Dialer) certified(ctx context.Context, login string) (ssh.Signer, error) {
	c := &d.certificates
	c.mu.Lock()
	if c.key == nil {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err == nil {
			c.key, err = ssh.NewSignerFromKey(private)
		}
		if err != nil {
			c.mu.Unlock()
			return nil, err
		}
	}
	key, now := c.key, d.now()
	if known, ok := c.known[login]; ok && now.Before(known.until) {
		c.mu.Unlock()
		return known.signer, nil
	}
	c.mu.Unlock()

	certificate, err := d.Certify(ctx, key.PublicKey(), login)
	if err != nil {
		return nil, fmt.Errorf("no certificate for login %s: %w", clean(login), err)
	}
	if certificate == nil || certificate.CertType != ssh.UserCert || !bytes.Equal(certificate.Key.Marshal(), key.PublicKey().Marshal()) {
		return nil, errors.New("the manager certified another key")
	}
	signer, err := ssh.NewCertSigner(certificate, key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCertificates {
		c.known = map[string]certified{}
	}
	left := time.Unix(int64(min(certificate.ValidBefore, 1<<62)), 0).Sub(now)
	c.known[login] = certified{signer, now.Add(left / 2)}
	return signer, nil
}
