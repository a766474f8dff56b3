package hostkey

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Bounds of an RSA modulus, in bits: weaker is forgeable, larger is a burden (SSH-7).
const (
	minRSA = 2048
	maxRSA = 8192
)

// maxLine bounds a key's line, as in the AccessTarget's schema.
const maxLine = 2048

// Parse reads a key's line, `type base64`, of a plain key that is Acceptable.
func Parse(line string) (ssh.PublicKey, error) {
	if len(line) > maxLine {
		return nil, fmt.Errorf("a key's line is longer than %d bytes", maxLine)
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || len(options) > 0 || len(rest) > 0 {
		return nil, fmt.Errorf("%.80q is not a key: want `type base64`, as in /etc/ssh/ssh_host_*_key.pub", line)
	}
	if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word != key.Type() {
		return nil, fmt.Errorf("a key says that it is of type %.40q, and is of %s", word, key.Type())
	}
	if err := Acceptable(key); err != nil {
		return nil, err
	}
	return key, nil
}

// Acceptable refuses certificates where a plain key is wanted, and weak keys.
func Acceptable(key ssh.PublicKey) error {
	// First: of a certificate in a certificate, even Type would panic.
	if _, certificate := key.(*ssh.Certificate); certificate {
		return errors.New("a certificate where a plain key is wanted")
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		public, ok := key.(ssh.CryptoPublicKey)
		if !ok {
			return errors.New("an RSA key whose size cannot be told")
		}
		modulus, ok := public.CryptoPublicKey().(*rsa.PublicKey)
		if !ok || modulus.N.BitLen() < minRSA || modulus.N.BitLen() > maxRSA {
			return fmt.Errorf("an RSA key that is not of %d to %d bits", minRSA, maxRSA)
		}
		return nil
	}
	return fmt.Errorf("a key of type %s, which is not taken", key.Type())
}

func parseAll(lines []string) ([]ssh.PublicKey, error) {
	var keys []ssh.PublicKey
	for _, line := range lines {
		key, err := Parse(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// algorithms are certificates' first, as OpenSSH has them, then those of the keys.
func (k *known) algorithms() []string {
	var algorithms []string
	if len(k.authorities) > 0 {
		algorithms = append(algorithms, ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01,
			ssh.CertAlgoECDSA521v01, ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01)
	}
	for _, key := range k.keys {
		switch key.Type() {
		case ssh.KeyAlgoRSA:
			// Never ssh-rsa: it is SHA-1 (RFC 8332).
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			algorithms = append(algorithms, key.Type())
		}
	}
	spoken := ssh.SupportedAlgorithms().HostKeys
	seen := map[string]bool{}
	return slices.DeleteFunc(algorithms, func(algorithm string) bool {
		again := seen[algorithm]
		seen[algorithm] = true
		return again || !slices.Contains(spoken, algorithm)
	})
}
