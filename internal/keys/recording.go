package keys

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// RecordingKey signs the segments of recordings. It never leaves the manager.
func (r *Root) RecordingKey() ed25519.PrivateKey { return r.recording }

// RecordingPublic is its public half in PEM (PKIX), with which anyone verifies a
// recording offline.
func (r *Root) RecordingPublic() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(r.recording.Public())
	if err != nil {
		return nil, fmt.Errorf("encode the recording key's public half: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// parseRecording reads the recording key. A Secret that is older than recordings'
// signatures has none: then it is derived, so that all replicas have the same.
func (r *Root) parseRecording(encoded []byte) (ed25519.PrivateKey, error) {
	if encoded == nil {
		seed, err := r.Derive("recording key/1")
		if err != nil {
			return nil, err
		}
		return ed25519.NewKeyFromSeed(seed), nil
	}
	key, err := parsePKCS8(encoded)
	if err != nil {
		return nil, err
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("is not an Ed25519 key")
	}
	return private, nil
}
