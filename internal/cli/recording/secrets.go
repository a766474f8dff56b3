package recording

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
)

// maxFile bounds a file with keys, in bytes.
const maxFile = 1 << 20

// ParseKeys reads Ed25519 public keys in PEM (PKIX, RFC 8410).
func ParseKeys(text []byte) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("want PEM blocks PUBLIC KEY, not %q", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse a public key: %w", err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("a public key is not of Ed25519")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// ReadKeys reads public keys from files.
func ReadKeys(files []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, name := range files {
		text, err := readFile(name)
		if err != nil {
			return nil, err
		}
		found, err := ParseKeys(text)
		if err == nil && len(found) == 0 {
			err = errors.New("there is no public key in it: want PEM, -----BEGIN PUBLIC KEY-----")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// ReadIdentities reads age identities. Errors never quote a line of the file.
func ReadIdentities(files []string) ([]age.Identity, error) {
	var identities []age.Identity
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		found, err := age.ParseIdentities(io.LimitReader(file, maxFile))
		if closing := file.Close(); err != nil || closing != nil {
			return nil, errors.Join(fmt.Errorf("%s holds no age identities: want lines AGE-SECRET-KEY-1…", name), closing)
		}
		identities = append(identities, found...)
	}
	return identities, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	return text, errors.Join(err, file.Close())
}
