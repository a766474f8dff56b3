package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	for try := 1; ; try++ {
		certificate, err := p.certify(ctx, uid, key, login)
		if !apierrors.IsConflict(err) || try == reportTries {
			return certificate, err
		}
	}
}

func (p *Provider) certify(ctx context.Context, uid string, key ssh.PublicKey, login string) (*ssh.Certificate, error) {
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
	if err := p.noteCertified(ctx, v.request); err != nil {
		return nil, err
	}
	certificate, err := certifier.Certify(target, sshissuer.CertificateRequest{
		UID: uid, Key: key, Login: login, Grant: granted, SourceAddresses: addressesOf(v.pod), Deadline: deadline,
	})
	if errors.Is(err, credential.ErrGrant) {
		return nil, fmt.Errorf("%w: %w", control.ErrNotCertified, err)
	}
	return certificate, err
}

// noteCertified says in the status, before a task's first certificate is made, that there
// may be one. It is written under the version of the request that was read as granted: once
// the end is in the status, or was before, no certificate follows that is not noted.
func (p *Provider) noteCertified(ctx context.Context, request *v1alpha1.TaskAccessRequest) error {
	if certified(request.Status) {
		return nil
	}
	status := v1alpha1.TaskAccessRequestStatus{Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionCertified, Status: metav1.ConditionTrue, Reason: "Asked", Message: "the proxy has asked for a certificate",
		ObservedGeneration: request.Generation, LastTransitionTime: metav1.NewTime(p.Now()),
	}}}
	if _, err := applyStatus(ctx, p.Client, request, status, certifierFieldOwner, request.ResourceVersion); err != nil {
		return fmt.Errorf("note that there is a certificate: %w", err)
	}
	return nil
}

// certified says whether a certificate may have been made. It is known for sure of a status
// that has the request's end.
func certified(status v1alpha1.TaskAccessRequestStatus) bool {
	return meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionCertified)
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
