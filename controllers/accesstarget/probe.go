package accesstarget

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/target"
)

// found is what a probe came to.
type found struct {
	// addresses are set once the target is resolved.
	addresses []string
	findings  credential.Findings
	err       error
}

// probe looks at the target without changing anything there.
func (r *Reconciler) probe(ctx context.Context, object *v1alpha1.AccessTarget) found {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if object.Spec.Postgres == nil {
		return found{err: fmt.Errorf("%w: it is of no protocol that is served here", credential.ErrUnsupported)}
	}
	issuer, ok := r.Issuers[object.Spec.Postgres.Credential]
	if !ok {
		return found{err: fmt.Errorf("%w: no issuer for credential %q", credential.ErrUnsupported, object.Spec.Postgres.Credential)}
	}
	resolved, err := r.Targets.Resolve(ctx, object)
	if err != nil {
		return found{err: err}
	}
	if err := target.Withheld(object, resolved); err != nil {
		return found{addresses: resolved.Addresses, err: err}
	}
	findings, err := issuer.Probe(ctx, resolved)
	return found{addresses: resolved.Addresses, findings: findings, err: err}
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
