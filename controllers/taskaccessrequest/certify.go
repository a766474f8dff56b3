package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/credential"
	sshissuer "github.com/sallyport/sallyport/internal/credential/ssh"
)

// Certifier makes SSH certificates, by the authority of one target.
type Certifier interface {
	Certify(target credential.Target, request sshissuer.CertificateRequest) (*ssh.Certificate, error)
}

var certificates = credential.Kind{Protocol: v1alpha1.ProtocolSSH, Type: v1alpha1.CredentialCertificate}

// Certify implements server.Certifier. All that it rests on is read past the cache, and
// the target's Secret must still consent.
func (p *Provider) Certify(ctx context.Context, uid string, key ssh.PublicKey, login string) (*ssh.Certificate, error) {
	// From before the reads on: whatever ends the request after them, the certificate ends
	// as one that was made before.
	asked := p.Now()
	v, err := p.granted(ctx, uid)
	switch {
	case errors.Is(err, control.ErrHoldRefused):
		return nil, fmt.Errorf("%w: %w", control.ErrNotCertified, err)
	case err != nil:
		return nil, err
	}
	granted := v.review.Spec.Question.Grant.SSH
	switch {
	case granted == nil || v.target.Spec.SSH == nil || v.request.Status.Credential.Type != v1alpha1.CredentialCertificate:
		return nil, fmt.Errorf("%w: it has another credential", control.ErrNotCertified)
	case !slices.Contains(granted.Logins, login):
		return nil, fmt.Errorf("%w: login %q is not granted", control.ErrNotCertified, login)
	}
	certifier, ok := p.Issuers[certificates].(Certifier)
	if !ok {
		return nil, fmt.Errorf("%w: this manager makes none", control.ErrNotCertified)
	}
	target, err := p.Targets.Consent(ctx, v.target)
	if err != nil {
		return nil, err
	}
	deadline := asked.Add(time.Duration(target.Spec.SSH.CertificateSeconds) * time.Second)
	if ends := v.request.Status.ExpiresAt.Time; ends.Before(deadline) {
		deadline = ends
	}
	certificate, err := certifier.Certify(target, sshissuer.CertificateRequest{
		UID: uid, Key: key, Login: login, Grant: granted, SourceAddresses: addressesOf(v.pod), Deadline: deadline,
	})
	if errors.Is(err, credential.ErrGrant) {
		return nil, fmt.Errorf("%w: %w", control.ErrNotCertified, err)
	}
	return certificate, err
}

// addressesOf is where a target may see the pod come from: itself, or, where the network
// masquerades, its node.
func addressesOf(pod *corev1.Pod) []string {
	if pod == nil {
		return nil
	}
	addresses := []string{}
	for _, ip := range pod.Status.PodIPs {
		addresses = append(addresses, ip.IP)
	}
	for _, ip := range pod.Status.HostIPs {
		addresses = append(addresses, ip.IP)
	}
	return addresses
}
