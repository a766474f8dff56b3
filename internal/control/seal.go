package control

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/internal/grant"
)

// Credentials cross the channel sealed to a key that one proxy process made for
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
	Password  grant.Secret `json:"password,omitempty"`
	ClientKey grant.Secret `json:"clientKey,omitempty"`
}

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

func (s *Sealer) seal(requestUID string, plain secrets) ([]byte, error) {
	encoded, err := json.Marshal(plain)
	if err != nil {
		return nil, errors.New("seal a credential: encode it")
	}
	sealed, err := hpke.Seal(s.key, hpke.HKDFSHA256(), hpke.AES256GCM(), sealingInfo(requestUID), encoded)
	if err != nil {
		return nil, fmt.Errorf("seal a credential: %w", err)
	}
	return sealed, nil
}

func (o *Opener) open(requestUID string, sealed []byte) (secrets, error) {
	encoded, err := hpke.Open(o.key, hpke.HKDFSHA256(), hpke.AES256GCM(), sealingInfo(requestUID), sealed)
	if err != nil {
		return secrets{}, fmt.Errorf("open a sealed credential: %w", err)
	}
	var plain secrets
	if err := json.Unmarshal(encoded, &plain); err != nil {
		// The decoder's words might quote what it read.
		return secrets{}, errors.New("open a sealed credential: it is not what was agreed on")
	}
	return plain, nil
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.P256()) }

func sealingInfo(requestUID string) []byte { return []byte("sallyport/postgres/" + requestUID) }
