// Package ssh makes OpenSSH user certificates for the proxies' own keys, good for
// minutes, by an authority that is one target's alone (PROTOCOL.certkeys). Nothing is
// kept on the target: a task is over there when its last certificate has run out.
package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Options of an Issuer.
type Options struct {
	// Installation tells the authorities of this installation from those of others:
	// 8 hex digits.
	Installation string
	// Master is the key that the authorities are derived from: 32 bytes at least.
	Master []byte
	// Now is the operator's clock.
	Now func() time.Time
	// Dial reaches a target's address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Issuer certifies. It keeps no state: authorities follow from the master key.
type Issuer struct {
	Options
}

var _ credential.Issuer = (*Issuer)(nil)

var (
	installationForm = regexp.MustCompile(`^[0-9a-f]{8}$`)
	// uidForm keeps what is in a key ID harmless in the target's log.
	uidForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// New checks the options.
func New(options Options) (*Issuer, error) {
	switch {
	case !installationForm.MatchString(options.Installation):
		return nil, fmt.Errorf("installation %q: want 8 lower-case hex digits", options.Installation)
	case len(options.Master) < 32:
		return nil, errors.New("the master key is shorter than 32 bytes")
	case options.Now == nil || options.Dial == nil:
		return nil, errors.New("clock and dialer must be given")
	}
	return &Issuer{Options: options}, nil
}

// KeyID is what the target's log calls every certificate of a request.
func KeyID(uid string) string { return "sallyport-" + uid }

// Serial is the serial number of every certificate of a request.
func Serial(uid string) uint64 {
	sum := sha256.Sum256([]byte(uid))
	return binary.BigEndian.Uint64(sum[:])
}

// Authority is the public key that the target must trust (TrustedUserCAKeys), and
// no other target should.
func (i *Issuer) Authority(target credential.Target) (ssh.PublicKey, error) {
	signer, err := i.authority(target)
	if err != nil {
		return nil, err
	}
	return signer.PublicKey(), nil
}

// authority is bound to the server's address too: an AccessTarget made anew, of the
// same name, for another server has another.
func (i *Issuer) authority(target credential.Target) (ssh.Signer, error) {
	spec, err := specOf(target)
	if err != nil {
		return nil, err
	}
	info := fmt.Sprintf("sallyport/ssh/v1|authority|%s|%s/%s|%s|%d", i.Installation, target.Namespace, target.Name, spec.Host, spec.Port)
	seed, err := hkdf.Key(sha256.New, i.Master, nil, info, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive the authority: %w", err)
	}
	return ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
}

// Name is the key ID of the request's certificates.
func (i *Issuer) Name(_ credential.Target, uid string) v1alpha1.IssuedCredential {
	return v1alpha1.IssuedCredential{Type: v1alpha1.CredentialCertificate, Name: KeyID(uid)}
}

// Login holds no secret: the key is the proxy's own, and Certify certifies it.
func (i *Issuer) Login(credential.Target, credential.Request) (credential.Login, error) {
	return credential.Login{}, nil
}

// Issue makes nothing yet: it looks whether the grant fits the target.
func (i *Issuer) Issue(_ context.Context, target credential.Target, request credential.Request) (v1alpha1.IssuedCredential, error) {
	none := v1alpha1.IssuedCredential{}
	if !uidForm.MatchString(request.UID) {
		return none, fmt.Errorf("%w: a request's UID is not a DNS label", credential.ErrGrant)
	}
	if err := fits(target, request.Grant.SSH); err != nil {
		return none, err
	}
	issued, until := i.Name(target, request.UID), metav1.NewTime(request.ValidUntil)
	issued.Generation, issued.ValidUntil = request.Generation, &until
	return issued, nil
}

// fits says why a grant names what the target does not offer.
func fits(target credential.Target, grant *v1alpha1.SSHGrant) error {
	spec, err := specOf(target)
	if err != nil {
		return err
	}
	if grant == nil || len(grant.Logins) == 0 {
		return fmt.Errorf("%w: it names no login on AccessTarget %s", credential.ErrGrant, target.Name)
	}
	for _, login := range grant.Logins {
		if !slices.Contains(spec.Logins, login) {
			return fmt.Errorf("%w: AccessTarget %s does not offer login %.40q", credential.ErrGrant, target.Name, login)
		}
	}
	return nil
}

func specOf(target credential.Target) (*v1alpha1.SSHTarget, error) {
	if target.Spec.SSH == nil {
		return nil, fmt.Errorf("%w: AccessTarget %s is not an SSH server", credential.ErrUnsupported, target.Name)
	}
	return target.Spec.SSH, nil
}

// Revoke has nothing to take from the target: certificates run out. To have them
// refused at once, the target can be given a list of revoked keys (package krl).
func (i *Issuer) Revoke(context.Context, credential.Target, credential.Request) error { return nil }

// List has nothing to name: the target holds nothing.
func (i *Issuer) List(context.Context, credential.Target) ([]string, error) { return nil, nil }
