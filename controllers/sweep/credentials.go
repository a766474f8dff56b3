package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	targets "github.com/sallyport/sallyport/internal/target"
)

// held is a credential that a target has for a request.
type held struct {
	uid    string
	target credential.Target
	issuer credential.Issuer
}

// credentials lists what every target holds; a target that does not answer does not
// keep the others from being swept.
func (s *Sweeper) credentials(ctx context.Context) ([]held, error) {
	targets := &v1alpha1.AccessTargetList{}
	if err := s.Client.List(ctx, targets); err != nil {
		return nil, fmt.Errorf("list targets: %w", err)
	}
	found, failures := []held{}, []error{}
	for i := range targets.Items {
		held, err := s.heldBy(ctx, &targets.Items[i])
		if err != nil {
			failures = append(failures, fmt.Errorf("target %s/%s: %w", targets.Items[i].Namespace, targets.Items[i].Name, err))
		}
		found = append(found, held...)
	}
	return found, errors.Join(failures...)
}

func (s *Sweeper) heldBy(ctx context.Context, target *v1alpha1.AccessTarget) ([]held, error) {
	endpoint, _ := targets.EndpointOf(target.Spec)
	issuer, ok := s.Issuers[endpoint.Kind]
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	resolved, err := s.Targets.Resolve(ctx, target)
	if err != nil {
		return nil, err
	}
	uids, err := issuer.List(ctx, resolved)
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	found := []held{}
	for _, uid := range uids {
		found = append(found, held{uid: uid, target: resolved, issuer: issuer})
	}
	return found, nil
}

func (s *Sweeper) revoke(ctx context.Context, orphan held) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	if err := orphan.issuer.Revoke(ctx, orphan.target, credential.Request{UID: orphan.uid, Generation: 1}); err != nil {
		return fmt.Errorf("revoke the orphan of request %s on %s/%s: %w", orphan.uid, orphan.target.Namespace, orphan.target.Name, err)
	}
	return nil
}
