// Package keys holds the operator's root keys: the authority that vouches for the
// manager, the readers and every task's proxy, the key that the tasks' credentials are
// derived from, and the key that signs recordings. They live in one Secret of the
// operator's namespace. They are not rotated yet: replacing the Secret ends every open
// task.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// The keys of the Secret's data.
const (
	dataCertificate = "ca.crt"
	dataKey         = "ca.key"
	dataMaster      = "credential.key"
	dataRecording   = "recording.key"
)

// masterSize is the length of the credential master key, in bytes.
const masterSize = 32

// Root is the root keys. No format verb prints them.
type Root struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	master      []byte
	recording   ed25519.PrivateKey
}

// Generate makes new root keys; the authority is valid from a little before now.
func Generate(now time.Time) (*Root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the authority's key: %w", err)
	}
	certificate, err := newAuthority(key, now)
	if err != nil {
		return nil, err
	}
	master := make([]byte, masterSize)
	if _, err := rand.Read(master); err != nil {
		return nil, fmt.Errorf("generate the credential master key: %w", err)
	}
	_, recording, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the recording key: %w", err)
	}
	return &Root{certificate: certificate, key: key, master: master, recording: recording}, nil
}

// Parse reads the data of the Secret that Data wrote, and checks that its parts
// belong together.
func Parse(data map[string][]byte) (*Root, error) {
	certificate, err := parseCertificate(data[dataCertificate])
	if err != nil {
		return nil, fmt.Errorf("%s of the root keys: %w", dataCertificate, err)
	}
	key, err := parseKey(data[dataKey])
	if err != nil {
		return nil, fmt.Errorf("%s of the root keys: %w", dataKey, err)
	}
	if !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, errors.New("ca.key of the root keys is not the key of its ca.crt")
	}
	if !certificate.IsCA {
		return nil, errors.New("ca.crt of the root keys is not an authority's")
	}
	if len(data[dataMaster]) != masterSize {
		return nil, fmt.Errorf("%s of the root keys must have %d bytes, has %d", dataMaster, masterSize, len(data[dataMaster]))
	}
	root := &Root{certificate: certificate, key: key, master: append([]byte(nil), data[dataMaster]...)}
	if root.recording, err = root.parseRecording(data[dataRecording]); err != nil {
		return nil, fmt.Errorf("%s of the root keys: %w", dataRecording, err)
	}
	return root, nil
}

// Data is the root keys as the data of a Secret.
func (r *Root) Data() (map[string][]byte, error) {
	key, err := keyPEM(r.key)
	if err != nil {
		return nil, fmt.Errorf("encode the authority's key: %w", err)
	}
	recording, err := keyPEM(r.recording)
	if err != nil {
		return nil, fmt.Errorf("encode the recording key: %w", err)
	}
	return map[string][]byte{
		dataCertificate: r.CA(),
		dataKey:         key,
		dataMaster:      append([]byte(nil), r.master...),
		dataRecording:   recording,
	}, nil
}

// CA is the authority's certificate in PEM.
func (r *Root) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.certificate.Raw})
}

// Derive returns 32 bytes that only this installation can compute for info
// (HKDF-SHA256, RFC 5869). One info, one purpose: put protocol, request UID and
// generation into it.
func (r *Root) Derive(info string) ([]byte, error) {
	derived, err := hkdf.Key(sha256.New, r.master, nil, info, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return derived, nil
}

// String hides the keys.
func (*Root) String() string { return "[root keys]" }

// GoString hides the keys from %#v.
func (*Root) GoString() string { return "[root keys]" }

// MarshalJSON hides the keys from structured logs.
func (*Root) MarshalJSON() ([]byte, error) { return []byte(`"[root keys]"`), nil }

func keyPEM(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseCertificate(encoded []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(encoded)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("holds no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseKey(encoded []byte) (*ecdsa.PrivateKey, error) {
	key, err := parsePKCS8(encoded)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("is not an ECDSA key")
	}
	return ec, nil
}

func parsePKCS8(encoded []byte) (crypto.PrivateKey, error) {
	block, _ := pem.Decode(encoded)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("holds no PEM private key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		// The parser's words might quote what it read.
		return nil, errors.New("is not a PKCS #8 private key")
	}
	return key, nil
}
