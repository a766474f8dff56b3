// Package static hands out a target's own standing login, for targets that can do
// no better. It makes nothing and unmakes nothing, and says so.
package static

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/grant"
)

// Prober looks at a target of the protocol: its issuer knows how.
type Prober interface {
	Probe(ctx context.Context, target credential.Target) (credential.Findings, error)
}

// Issuer hands out the login in the target's Secret.
type Issuer struct {
	now    func() time.Time
	prober Prober
}

var _ credential.Issuer = (*Issuer)(nil)

// New takes the operator's clock and the issuer of the target's protocol.
func New(now func() time.Time, prober Prober) *Issuer { return &Issuer{now: now, prober: prober} }

// Name is the standing login's.
func (i *Issuer) Name(target credential.Target, _ string) v1alpha1.IssuedCredential {
	return v1alpha1.IssuedCredential{Type: v1alpha1.CredentialStatic, Name: target.Admin.Username}
}

// Login is the standing login.
func (i *Issuer) Login(target credential.Target, _ credential.Request) (credential.Login, error) {
	login := credential.Login{
		User: target.Admin.Username, Password: grant.Secret(target.Admin.Password),
		ClientCertificate: grant.Secret(target.Admin.ClientCertificate), ClientKey: grant.Secret(target.Admin.ClientKey),
		PrivateKey: grant.Secret(target.Admin.SSHPrivateKey),
	}
	if login.PrivateKey != "" {
		// A password beside the key is not for logging in: it may be the one for sudo.
		login.Password = ""
	}
	return login, nil
}

// Issue makes nothing. That the credential ends in time is the proxy's doing alone.
func (i *Issuer) Issue(_ context.Context, target credential.Target, request credential.Request) (v1alpha1.IssuedCredential, error) {
	if err := fits(target, request.Grant); err != nil {
		return v1alpha1.IssuedCredential{}, err
	}
	issued := i.Name(target, request.UID)
	until := metav1.NewTime(request.ValidUntil)
	issued.Generation, issued.ValidUntil = request.Generation, &until
	return issued, nil
}

// fits says why a grant is for what the target does not offer: nothing on the target
// itself would keep a standing login from it.
func fits(target credential.Target, grant v1alpha1.Grant) error {
	postgres, ssh := target.Spec.Postgres, target.Spec.SSH
	switch {
	case postgres != nil && grant.Postgres != nil && slices.Contains(postgres.Databases, grant.Postgres.Database):
		return nil
	case postgres != nil:
		return fmt.Errorf("%w: AccessTarget %s does not offer its database", credential.ErrGrant, target.Name)
	case ssh == nil || grant.SSH == nil || len(grant.SSH.Logins) == 0:
		return fmt.Errorf("%w: AccessTarget %s is not of its protocol", credential.ErrGrant, target.Name)
	}
	for _, login := range grant.SSH.Logins {
		if !slices.Contains(ssh.Logins, login) {
			return fmt.Errorf("%w: AccessTarget %s does not offer login %.40q", credential.ErrGrant, target.Name, login)
		}
	}
	return nil
}

// Revoke has nothing to end: the sessions end with the proxy.
func (i *Issuer) Revoke(context.Context, credential.Target, credential.Request) error { return nil }

// Verify says that the login stays.
func (i *Issuer) Verify(_ context.Context, target credential.Target, _ credential.Request) (credential.Evidence, error) {
	return credential.Evidence{
		Standing:  true,
		Message:   fmt.Sprintf("static credential: login %q remains on the target", target.Admin.Username),
		CheckedAt: i.now(),
	}, nil
}

// List has nothing to name: nothing was made.
func (i *Issuer) List(context.Context, credential.Target) ([]string, error) { return nil, nil }

// Probe looks at the target with the protocol's own issuer.
func (i *Issuer) Probe(ctx context.Context, target credential.Target) (credential.Findings, error) {
	return i.prober.Probe(ctx, target)
}
