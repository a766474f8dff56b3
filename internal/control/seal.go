package control

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/internal/grant"
)

// Secrets cross the channel sealed to a key that one proxy process made for
// itself (HPKE, RFC 9180), beneath TLS: whatever prints a message, prints no secret.

// Opener is a proxy's half of the sealing key. It lives as long as its process.
type Opener struct {
	key hpke.PrivateKey
}

// Sealer is the manager's half.
type Sealer struct {
	key hpke.PublicKey
}

// secrets is what is sealed.
type secrets struct {
	Password   grant.Secret `json:"password,omitempty"`
	ClientKey  grant.Secret `json:"clientKey,omitempty"`
	PrivateKey grant.Secret `json:"privateKey,omitempty"`
	HostKey    grant.Secret `json:"hostKey,omitempty"`
}

// purpose is what a secret is for: one that was sealed for another is not opened.
type purpose string

const (
	forPostgres purpose = "postgres"
	forSSH      purpose = "ssh"
	forHostKey  purpose = "host-key"
)

// NewOpener makes a sealing key.
func NewOpener() (*Opener, error) {
	key, err := kem().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate a sealing key: %w", err)
	}
	return &Opener{key: key}, nil
}

// Public is the half that the manager is told.
func (o *Opener) Public() []byte { return o.key.PublicKey().Bytes() }

// NewSealer reads what Opener.Public wrote.
func NewSealer(public []byte) (*Sealer, error) {
	key, err := kem().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("read the proxy's sealing key: %w", err)
	}
	return &Sealer{key: key}, nil
}

func (s *Sealer) seal(use purpose, requestUID string, plain secrets) ([]byte, error) {
	encoded, err := json.Marshal(plain)
	if err != nil {
		return nil, errors.New("seal a secret: encode it")
	}
	sealed, err := hpke.Seal(s.key, hpke.HKDFSHA256(), hpke.AES256GCM(), sealingInfo(use, requestUID), encoded)
	if err != nil {
		return nil, fmt.Errorf("seal a secret: %w", err)
	}
	return sealed, nil
}

func (o *Opener) open(use purpose, requestUID string, sealed []byte) (secrets, error) {
	encoded, err := hpke.Open(o.key, hpke.HKDFSHA256(), hpke.AES256GCM(), sealingInfo(use, requestUID), sealed)
	if err != nil {
		return secrets{}, fmt.Errorf("open a sealed secret: %w", err)
	}
	var plain secrets
	if err := json.Unmarshal(encoded, &plain); err != nil {
		// The decoder's words might quote what it read.
		return secrets{}, errors.New("open a sealed secret: it is not what was agreed on")
	}
	return plain, nil
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.P256()) }

func sealingInfo(use purpose, requestUID string) []byte {
	return []byte("sallyport/" + string(use) + "/" + requestUID)
}
