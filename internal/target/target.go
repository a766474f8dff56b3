// Package target finds the administrator's side of an AccessTarget: the Secret that
// opts the target in and pins it, and the addresses that its host stands for.
package target

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Resolver finds administrators' sides. It remembers nothing.
type Resolver struct {
	// Secrets reads those of the namespace sallyport-targets.
	Secrets client.Reader
	// Lookup finds a name's addresses: a *net.Resolver.
	Lookup Lookup
	// Own are the operator's and the cluster's own addresses, which are no target:
	// the API server's, the control channel's.
	Own []netip.Prefix
	// Timeout of one look-up; DefaultTimeout when zero.
	Timeout time.Duration
}

// Lookup finds a name's addresses.
type Lookup interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// DefaultTimeout of one look-up.
const DefaultTimeout = 5 * time.Second

// Error is why a target has no administrator's side. Reason is the one of its
// condition; the text says what to do and holds no value of the Secret.
type Error struct {
	Reason  string
	Message string
}

func (e *Error) Error() string { return e.Message }

// +kubebuilder:rbac:groups="",namespace=sallyport-targets,resources=secrets,verbs=get;list;watch

// Resolve is Consent, and looks the host up. Every later dial is to the addresses
// returned: whoever controls the name's DNS cannot answer otherwise the second time.
func (r *Resolver) Resolve(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error) {
	resolved, err := r.Consent(ctx, target)
	if err != nil {
		return credential.Target{}, err
	}
	endpoint, _ := EndpointOf(target.Spec)
	if resolved.Addresses, err = r.addresses(ctx, endpoint.Host); err != nil {
		return credential.Target{}, err
	}
	return resolved, nil
}

// Consent reads the target's Secret, and wants it to pin the very same server. It asks no
// resolver, and knows no addresses.
func (r *Resolver) Consent(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error) {
	none := credential.Target{}
	if _, ok := EndpointOf(target.Spec); !ok {
		return none, &Error{v1alpha1.ReasonUnsupported, "the target is of no protocol that is served here"}
	}
	key := types.NamespacedName{Namespace: v1alpha1.TargetNamespace, Name: SecretName(target)}
	secret := &corev1.Secret{}
	switch err := r.Secrets.Get(ctx, key, secret); {
	case apierrors.IsNotFound(err):
		return none, &Error{v1alpha1.ReasonNoSecret, fmt.Sprintf("there is no Secret %s; whoever runs the platform makes it: %s", key, createCommand(target))}
	case err != nil:
		return none, fmt.Errorf("read Secret %s: %w", key, err)
	}
	admin, err := pinned(target, secret)
	if err != nil {
		return none, err
	}
	spec := *target.Spec.DeepCopy()
	listOf(&spec).bound(secret)
	return credential.Target{Name: target.Name, Namespace: target.Namespace, Spec: spec, Admin: admin}, nil
}

// SecretName is the name of a target's Secret. A namespace's name has no dot, so no
// two targets share one.
func SecretName(target *v1alpha1.AccessTarget) string { return target.Namespace + "." + target.Name }
