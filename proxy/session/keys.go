package session

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// minRSABits is what NIST SP 800-57 asks of RSA until 2030.
const minRSABits = 2048

var errKeyKind = errors.New("not a plain public key of kind Ed25519, ECDSA or RSA")

// plainKey is the key that a client proved, in SSH's form. A certificate is no key:
// who signed it is not for this task to trust (CVE-2025-49825).
func plainKey(key crypto.PublicKey) (ssh.PublicKey, error) {
	plain, ok := key.(ssh.PublicKey)
	if !ok {
		var err error
		if plain, err = ssh.NewPublicKey(key); err != nil {
			return nil, errKeyKind
		}
	}
	if !isPlain(plain) {
		return nil, errKeyKind
	}
	if holder, ok := plain.(ssh.CryptoPublicKey); ok {
		if key, isRSA := holder.CryptoPublicKey().(*rsa.PublicKey); isRSA && key.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits is too short", key.N.BitLen())
		}
	}
	return plain, nil
}

// names says whether one of the authorized_keys lines is this very key. A line with
// options is none: a restriction that is not enforced must not look as if it were.
func names(lines []string, proved ssh.PublicKey) bool {
	want := proved.Marshal()
	for _, line := range lines {
		key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || len(options) > 0 || len(rest) > 0 || !isPlain(key) {
			continue
		}
		if bytes.Equal(key.Marshal(), want) {
			return true
		}
	}
	return false
}

func isPlain(key ssh.PublicKey) bool {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA:
		return true
	}
	return false
}
