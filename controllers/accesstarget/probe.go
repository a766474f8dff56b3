package accesstarget

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/target"
)

// found is what a probe came to.
type found struct {
	// authority is the line of TrustedUserCAKeys, for certificates.
	authority string
	// addresses are set once the target is resolved.
	addresses []string
	findings  credential.Findings
	err       error
}

// probe looks at the target without changing anything there.
func (r *Reconciler) probe(ctx context.Context, object *v1alpha1.AccessTarget) found {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	endpoint, ok := target.EndpointOf(object.Spec)
	if !ok {
		return found{err: fmt.Errorf("%w: it is of no protocol that is served here", credential.ErrUnsupported)}
	}
	issuer, ok := r.Issuers[endpoint.Kind]
	if !ok {
		return found{err: fmt.Errorf("%w: no issuer for %s credential %q", credential.ErrUnsupported, endpoint.Protocol, endpoint.Type)}
	}
	// Said whatever comes of the rest: the server cannot trust it before it is known.
	authority, err := authorityOf(issuer, object)
	if err != nil {
		return found{err: err}
	}
	resolved, err := r.Targets.Resolve(ctx, object)
	if err != nil {
		return found{authority: authority, err: err}
	}
	if err := target.Withheld(object, resolved); err != nil {
		return found{authority: authority, addresses: resolved.Addresses, err: err}
	}
	findings, err := issuer.Probe(ctx, resolved)
	return found{authority: authority, addresses: resolved.Addresses, findings: findings, err: err}
}

// authorityOf is the key that a target must trust, of an issuer whose credentials are by
// one.
func authorityOf(issuer credential.Issuer, object *v1alpha1.AccessTarget) (string, error) {
	authorised, ok := issuer.(interface {
		Authority(target credential.Target) (ssh.PublicKey, error)
	})
	if !ok {
		return "", nil
	}
	key, err := authorised.Authority(credential.Target{Name: object.Name, Namespace: object.Namespace, Spec: object.Spec})
	if err != nil {
		return "", fmt.Errorf("authority of the target: %w", err)
	}
	return fmt.Sprintf("%s sallyport:%s/%s", strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), object.Namespace, object.Name), nil
}

// retry says that what is wrong may pass by itself: everything but what a person
// must put right.
func (f found) retry() bool {
	var refusal *target.Error
	switch {
	case f.err == nil, errors.Is(f.err, credential.ErrAdministrator), errors.Is(f.err, credential.ErrUnsupported):
		return false
	case errors.As(f.err, &refusal):
		return refusal.Reason == v1alpha1.ReasonUnreachable
	}
	return true
}
