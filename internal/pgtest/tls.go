package pgtest

import (
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
	"path/filepath"
	"time"
)

// authority signs certificates for as long as a test may run.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// certificates writes the server's certificate, and the authority that it
// accepts client certificates from.
func (s *Server) certificates(options Options) error {
	if options.NoTLS {
		return nil
	}
	serverCA, err := newAuthority("throwaway server CA")
	if err != nil {
		return err
	}
	if s.clientCA, err = newAuthority("throwaway client CA"); err != nil {
		return err
	}
	s.CAPEM = serverCA.pem
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		DNSNames:    append([]string{"localhost"}, options.ServerNames...),
		IPAddresses: []net.IP{net.ParseIP(s.Host)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, address := range options.Listen {
		if ip := net.ParseIP(address); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		}
	}
	certificate, key, err := serverCA.sign(template)
	if err != nil {
		return err
	}
	return errors.Join(
		s.owner.writeFile(filepath.Join(s.DataDir, "server.crt"), string(certificate)),
		s.owner.writeFile(filepath.Join(s.DataDir, "server.key"), string(key)),
		s.owner.writeFile(filepath.Join(s.DataDir, "client-ca.crt"), string(s.clientCA.pem)),
	)
}

// ClientCertificate makes a certificate and key (PEM) that the HBA method `cert`
// takes as user's.
func (s *Server) ClientCertificate(user string) (certificate, key []byte, err error) {
	if s.clientCA == nil {
		return nil, nil, errors.New("the server has no TLS")
	}
	return s.clientCA.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate: certificate, key: key, pem: block("CERTIFICATE", der)}, nil
}

// sign completes the template, and returns certificate and key as PEM.
func (a *authority) sign(template *x509.Certificate) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, nil, err
	}
	template.NotBefore, template.NotAfter = a.certificate.NotBefore, a.certificate.NotAfter
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", encoded), nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
