package s3test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"
)

// certify makes an authority, and a certificate for as long as a test may run.
func (s *Server) certify() error {
	authorityKey, errAuthority := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, errKey := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(errAuthority, errKey); err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "throwaway S3 CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		DNSNames: append([]string{"localhost"}, s.options.ServerNames...), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, address := range s.options.Listen {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	authorityDER, errAuthority := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	der, errKey := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), authorityKey)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(errAuthority, errKey, err); err != nil {
		return err
	}
	s.CAPEM = block("CERTIFICATE", authorityDER)
	certificatePEM, keyPEM := block("CERTIFICATE", der), block("PRIVATE KEY", encoded)
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	s.certificate = &pair
	return errors.Join(err,
		os.WriteFile(s.file("server.crt"), certificatePEM, 0o600),
		os.WriteFile(s.file("server.key"), keyPEM, 0o600))
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
