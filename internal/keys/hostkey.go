package keys

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/grant"
)

// HostKey is the SSH host key of one task's proxy: Ed25519, derived from the request's
// UID, so that every replica has the same and a proxy that is replaced shows it again.
// private is PEM, public the `type base64` of a known_hosts line. Both are the same bytes
// each time: PKCS #8, for OpenSSH's own form holds random ones.
func (r *Root) HostKey(requestUID string) (private grant.Secret, public string, err error) {
	seed, err := r.Derive("ssh host key/1/" + requestUID)
	if err != nil {
		return "", "", err
	}
	key := ed25519.NewKeyFromSeed(seed)
	encoded, err := keyPEM(key)
	if err != nil {
		return "", "", fmt.Errorf("encode a task's host key: %w", err)
	}
	shown, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", "", fmt.Errorf("encode a task's host key: %w", err)
	}
	return grant.Secret(encoded), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(shown))), nil
}
