package control

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/control/controlpb"
)

// ErrNotCertified is a certificate that the manager refuses to make: as the task stands
// now, asking again is no use. Its text is for the proxy's log and clients.
var ErrNotCertified = errors.New("no certificate for this task")

// Bounds of what crosses the channel, in bytes.
const (
	maxPublicKey   = 2 << 10
	maxCertificate = 16 << 10
	maxLogin       = 32
)

// EncodeCertify asks for a certificate.
func EncodeCertify(key ssh.PublicKey, login string) *controlpb.CertifyRequest {
	return &controlpb.CertifyRequest{PublicKey: key.Marshal(), Login: login}
}

// DecodeCertify reads who is to be certified: a key that a proxy makes for itself, and
// no certificate.
func DecodeCertify(in *controlpb.CertifyRequest) (key ssh.PublicKey, login string, err error) {
	if len(in.GetPublicKey()) > maxPublicKey || in.GetLogin() == "" || len(in.GetLogin()) > maxLogin || !printable(in.GetLogin()) {
		return nil, "", errors.New("a certificate is for one public key and one login")
	}
	if key, err = ssh.ParsePublicKey(in.GetPublicKey()); err != nil {
		return nil, "", fmt.Errorf("read the key to be certified: %w", err)
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return key, in.GetLogin(), nil
	}
	return nil, "", errors.New("the key to be certified is neither Ed25519 nor ECDSA")
}

// EncodeCertified answers with the certificate.
func EncodeCertified(certificate *ssh.Certificate) *controlpb.CertifyResponse {
	return &controlpb.CertifyResponse{Certificate: certificate.Marshal()}
}

// DecodeCertified reads a certificate, if it is what was asked for.
func DecodeCertified(in *controlpb.CertifyResponse, key ssh.PublicKey, login string) (*ssh.Certificate, error) {
	if len(in.GetCertificate()) > maxCertificate {
		return nil, errors.New("the manager's certificate is too large")
	}
	parsed, err := ssh.ParsePublicKey(in.GetCertificate())
	if err != nil {
		return nil, fmt.Errorf("read the certificate that the manager made: %w", err)
	}
	certificate, ok := parsed.(*ssh.Certificate)
	if !ok || certificate.CertType != ssh.UserCert || !bytes.Equal(certificate.Key.Marshal(), key.Marshal()) ||
		!slices.Equal(certificate.ValidPrincipals, []string{login}) {
		return nil, errors.New("the manager made a certificate for another key or login")
	}
	return certificate, nil
}
