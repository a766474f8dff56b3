package clientkey

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Certificate makes a TLS client certificate of a key, signed by that key itself:
// the proxy judges the key alone. Both results are PEM.
func Certificate(key crypto.Signer, user string, now time.Time) (certificate, private []byte, err error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: commonName(user)},
		NotBefore:    now.Add(-5 * time.Minute),
		NotAfter:     now.Add(48 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	// ssh.ParseRawPrivateKey gives a pointer, x509 wants the value.
	if pointer, ok := key.(*ed25519.PrivateKey); ok {
		key = *pointer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("make a client certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("make a client certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

// commonName is for people who look at the certificate: at most 64 characters (RFC
// 5280, ub-common-name).
func commonName(user string) string {
	runes := []rune(user)
	return string(runes[:min(len(runes), 64)])
}
