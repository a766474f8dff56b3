package ssh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Probe looks whether the target is the server that it should be, asks for proof, lets
// in whom its authority certifies (or the standing login), and nobody else.
func (i *Issuer) Probe(ctx context.Context, target credential.Target) (credential.Findings, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	spec, err := specOf(target)
	if err != nil {
		return credential.Findings{}, err
	}
	if len(spec.Logins) == 0 {
		return credential.Findings{}, fmt.Errorf("%w: AccessTarget %s offers no login", credential.ErrGrant, target.Name)
	}
	if spec.Credential == v1alpha1.CredentialStatic {
		return i.probeStatic(ctx, target)
	}
	return i.probeAuthority(ctx, target, spec.Logins[0])
}

func (i *Issuer) probeAuthority(ctx context.Context, target credential.Target, login string) (credential.Findings, error) {
	none := credential.Findings{}
	key, err := stranger()
	if err != nil {
		return none, err
	}
	now := i.Now()
	fresh, err := i.ask(target, terms{uid: probeUID, key: key, login: login, after: now.Add(-backdate), before: now.Add(freshLifetime)})
	if err != nil {
		return none, err
	}
	ended, err := i.ask(target, terms{uid: probeUID, key: key, login: login, after: now.Add(-time.Hour), before: now.Add(-backdate)})
	if err != nil {
		return none, err
	}
	plain := &asked{key: key}
	got, err := i.query(ctx, target, login, []*asked{fresh, ended, plain})
	// A server that hangs up at the second refusal (MaxAuthTries 2) has said enough.
	if err != nil && (got.given == 0 || fresh.taken && got.given == 1) {
		return none, err
	}
	findings := credential.Findings{ServerVersion: oneLine(got.version, 100)}
	switch {
	case got.open:
		findings.Unsafe = fmt.Sprintf("asks login %s for no proof", login)
	case !fresh.taken:
		return none, i.notTrusted(target, login)
	case ended.taken:
		findings.Unsafe = "takes certificates that ran out a minute ago: set its clock"
	case plain.taken:
		findings.Unsafe = fmt.Sprintf("takes anybody's key for login %s", login)
	}
	return findings, nil
}

// probeStatic logs in with the standing key or password, and out again. A server that
// asks for nothing lets us in before it hears of either.
func (i *Issuer) probeStatic(ctx context.Context, target credential.Target) (credential.Findings, error) {
	none := credential.Findings{}
	methods, err := standing(target.Admin)
	if err != nil {
		return none, err
	}
	proved, version, tries := false, "", 0
	config := &ssh.ClientConfig{User: target.Admin.Username}
	config.AuthCallback = func(auth *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		proved, version = true, string(auth.Metadata.ServerVersion())
		if tries == len(methods) {
			return nil, errAsked
		}
		tries++
		return methods[tries-1], nil
	}
	conn, err := i.handshake(ctx, target, config)
	switch {
	case errors.Is(err, errAsked):
		return none, fmt.Errorf("%w: the server (%s) refuses login %s", credential.ErrAdministrator, oneLine(version, 100), target.Admin.Username)
	case err != nil:
		return none, classify(target, err)
	}
	findings := credential.Findings{ServerVersion: oneLine(string(conn.ServerVersion()), 100)}
	_ = conn.Close()
	if !proved {
		findings.Unsafe = fmt.Sprintf("asks login %s for no proof", target.Admin.Username)
	}
	return findings, nil
}

func standing(admin credential.Admin) ([]ssh.AuthMethod, error) {
	if len(admin.SSHPrivateKey) > 0 {
		signer, err := ssh.ParsePrivateKey(admin.SSHPrivateKey)
		if err != nil {
			// Its text may quote the key.
			return nil, fmt.Errorf("%w: ssh-privatekey is not a private key without a passphrase", credential.ErrAdministrator)
		}
		return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
	}
	if admin.Password == "" {
		return nil, fmt.Errorf("%w: there is neither ssh-privatekey nor password", credential.ErrAdministrator)
	}
	return []ssh.AuthMethod{ssh.Password(admin.Password), ssh.KeyboardInteractive(onlyPassword(admin.Password))}, nil
}

// onlyPassword answers one question whose answer is not shown, and no other.
func onlyPassword(password string) ssh.KeyboardInteractiveChallenge {
	given := false
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		switch {
		case len(questions) == 0:
			return nil, nil
		case len(questions) > 1 || echos[0] || given:
			return nil, errors.New("the server asks for more than a password")
		}
		given = true
		return []string{password}, nil
	}
}
