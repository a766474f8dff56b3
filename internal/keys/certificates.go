package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"time"
)

// The names that the authority vouches for, and no others: its name constraints
// say so.
const (
	// ManagerName is the manager's, on the control channel.
	ManagerName = "sallyport-control.sallyport-system.svc"
	// ReaderName is the reader's, towards the API server's aggregator.
	ReaderName = "sallyport-reader.sallyport-proxies.svc"
	// taskDomain is where every task's proxy has its name.
	taskDomain = "task.sallyport.internal"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	// ServingLifetime is how long manager's and reader's certificates live; renew
	// them at two thirds of it.
	ServingLifetime = 90 * 24 * time.Hour
	// TaskLifetime bounds a task's certificate, whatever is asked for. The longest
	// task outlives it: the control channel renews it.
	TaskLifetime = 24 * time.Hour
	// backdate lets a verifier's clock be behind ours.
	backdate = 10 * time.Minute
)

// uidPattern is a Kubernetes UID, or anything as harmless: one DNS label.
var uidPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// TaskName is the name in the certificate of a task's proxy.
func TaskName(requestUID string) string { return requestUID + "." + taskDomain }

// ManagerCertificate makes the manager's server certificate, with a fresh key.
func (r *Root) ManagerCertificate(now time.Time) (tls.Certificate, error) {
	return r.serving(ManagerName, now)
}

// ReaderCertificate makes the reader's server certificate and key in PEM, as the
// data of a kubernetes.io/tls Secret.
func (r *Root) ReaderCertificate(now time.Time) (certificate, key []byte, err error) {
	pair, err := r.serving(ReaderName, now)
	if err != nil {
		return nil, nil, err
	}
	private, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New("encode the reader's key: not an ECDSA key")
	}
	key, err = keyPEM(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the reader's key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), key, nil
}

// SignTask makes the certificate of one task's proxy, in DER, from its certificate
// signing request (PKCS #10, DER). The signing request proves possession of the key;
// nothing that it asks for is looked at. The certificate ends at notAfter, and
// TaskLifetime from now at the latest.
func (r *Root) SignTask(requestUID string, signingRequest []byte, now, notAfter time.Time) ([]byte, error) {
	if !uidPattern.MatchString(requestUID) {
		return nil, errors.New("sign a task's certificate: the request's UID is not a DNS label")
	}
	csr, err := x509.ParseCertificateRequest(signingRequest)
	if err != nil {
		return nil, fmt.Errorf("sign a task's certificate: read its signing request: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("sign a task's certificate: its signing request does not prove the key: %w", err)
	}
	if err := acceptable(csr.PublicKey); err != nil {
		return nil, fmt.Errorf("sign a task's certificate: %w", err)
	}
	if latest := now.Add(TaskLifetime); notAfter.IsZero() || notAfter.After(latest) {
		notAfter = latest
	}
	if !notAfter.After(now) {
		return nil, errors.New("sign a task's certificate: the task is over")
	}
	return r.sign(TaskName(requestUID), csr.PublicKey, now, notAfter)
}

func (r *Root) serving(name string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("generate a key for %s: %w", name, err)
	}
	der, err := r.sign(name, key.Public(), now, now.Add(ServingLifetime))
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func (r *Root) sign(name string, public crypto.PublicKey, now, notAfter time.Time) ([]byte, error) {
	if notAfter.After(r.certificate.NotAfter) {
		notAfter = r.certificate.NotAfter
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// No common name: clients that still look at one would get a second name.
		Subject:               pkix.Name{Organization: []string{"Sallyport"}},
		DNSNames:              []string{name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, r.certificate, public, r.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", name, err)
	}
	return der, nil
}

// newAuthority makes an authority that may sign server certificates of our own
// names only, and no further authority (RFC 5280, 4.2.1.9 and 4.2.1.10).
func newAuthority(key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:                serial,
		Subject:                     pkix.Name{Organization: []string{"Sallyport"}, CommonName: "Sallyport authority"},
		NotBefore:                   now.Add(-backdate),
		NotAfter:                    now.Add(authorityLifetime),
		KeyUsage:                    x509.KeyUsageCertSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLen:                  0,
		MaxPathLenZero:              true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{ManagerName, ReaderName, taskDomain},
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// acceptable refuses keys that are weak, or large enough to be a burden.
func acceptable(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return nil
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits >= 2048 && bits <= 4096 {
			return nil
		}
	}
	return errors.New("its key is none of: ECDSA P-256 or P-384, RSA of 2048 to 4096 bits")
}

// newSerial is 127 random bits (RFC 5280, 4.1.2.2: positive, at most 20 octets).
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return serial, nil
}
