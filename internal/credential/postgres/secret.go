package postgres

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/sallyport/sallyport/internal/grant"
)

// iterations of PBKDF2, PostgreSQL's own default: the password has 256 bits of
// entropy, which no iteration count improves on.
const iterations = 4096

// Password is that of a request's role: derived, so nobody stores it and every
// replica of the manager can hand it out. Another generation is another password.
func (i *Issuer) Password(uid string, generation int32) (grant.Secret, error) {
	key, err := i.derive("password", uid, generation, 32)
	if err != nil {
		return "", err
	}
	return grant.Secret(base64.RawURLEncoding.EncodeToString(key)), nil
}

// verifier is all that the target learns of the password: PostgreSQL's form of an
// RFC 5803 verifier. Its salt is derived too, so that to issue again changes nothing.
func (i *Issuer) verifier(uid string, generation int32) (string, error) {
	password, err := i.Password(uid, generation)
	if err != nil {
		return "", err
	}
	salt, err := i.derive("salt", uid, generation, 16)
	if err != nil {
		return "", err
	}
	return scramVerifier(password.Reveal(), salt)
}

func (i *Issuer) derive(purpose, uid string, generation int32, length int) ([]byte, error) {
	info := fmt.Sprintf("sallyport/postgres/v1|%s|%s|%s|%d", purpose, i.Installation, uid, generation)
	key, err := hkdf.Key(sha256.New, i.MasterKey, nil, info, length)
	if err != nil {
		return nil, fmt.Errorf("derive the %s: %w", purpose, err)
	}
	return key, nil
}

// scramVerifier follows RFC 5802 section 3. The password must be ASCII, which
// SASLprep leaves alone.
func scramVerifier(password string, salt []byte) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("salt the password: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s",
		iterations, encode(salt), encode(stored[:]), encode(mac(salted, "Server Key"))), nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
