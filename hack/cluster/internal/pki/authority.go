// Package pki makes the cluster's certificates. All keys are the cluster's own
// and go with it.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

const validity = 365 * 24 * time.Hour

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	// CertificatePEM is what clients trust.
	CertificatePEM []byte
}

// Subject is whom a certificate is for.
type Subject struct {
	Name   string
	Groups []string
	// Addresses are host names and IP addresses; a certificate with any is a server's.
	Addresses []string
}

// Pair is a certificate with its key, in PEM.
type Pair struct {
	Certificate, Key []byte
}

// NewAuthority makes an authority and saves it as <path>.crt and <path>.key.
func NewAuthority(name, path string) (*Authority, error) {
	template := template(name)
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	pair := Pair{Certificate: encodeCertificate(der), Key: keyPEM}
	if err := pair.Save(path); err != nil {
		return nil, err
	}
	return LoadAuthority(path)
}

// LoadAuthority reads what NewAuthority saved.
func LoadAuthority(path string) (*Authority, error) {
	certificatePEM, err := os.ReadFile(path + ".crt")
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(path + ".key")
	if err != nil {
		return nil, err
	}
	certificateBlock, _ := pem.Decode(certificatePEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certificateBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("%s: not PEM", path)
	}
	certificate, err := x509.ParseCertificate(certificateBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the authority's key cannot sign")
	}
	return &Authority{certificate: certificate, key: signer, CertificatePEM: certificatePEM}, nil
}

// Issue makes a certificate and its key.
func (a *Authority) Issue(s Subject) (Pair, error) {
	template := template(s.Name)
	template.Subject.Organization = s.Groups
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, address := range s.Addresses {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(address); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, address)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return Pair{}, err
	}
	keyPEM, err := encodeKey(key)
	return Pair{Certificate: encodeCertificate(der), Key: keyPEM}, err
}

// Save writes <path>.crt and <path>.key.
func (p Pair) Save(path string) error {
	return errors.Join(
		os.WriteFile(path+".crt", p.Certificate, 0o644),
		os.WriteFile(path+".key", p.Key, 0o600),
	)
}

func template(name string) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails: documented in crypto/rand
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: name},
		// A little earlier: clocks of containers and hosts differ by rounding.
		NotBefore: now.Add(-time.Minute),
		NotAfter:  now.Add(validity),
	}
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
