package clientkey

import (
	"crypto"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/crypto/ssh"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// uidForm is what a UID may be, so that it is nothing else in a path.
var uidForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}$`)

// forSSH are the paths of the files that ssh reads of a request. They are the request's
// own: a key that people bring may serve several.
func (s Store) forSSH(public ssh.PublicKey, uid types.UID) (identity, knownHosts string) {
	return s.Beside(public, string(uid)+".identity"), s.Beside(public, string(uid)+".known_hosts")
}

// OpenSSH is a private key in OpenSSH's own form, which every ssh reads as an identity
// file, whatever the kind of key.
func OpenSSH(key crypto.Signer, comment string) ([]byte, error) {
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return nil, fmt.Errorf("write the key for ssh: %w", err)
	}
	return pem.EncodeToMemory(block), nil
}

// ForSSH writes the key of a request, and the host key that it is shown to, where
// ssh_config(5) may name them; Remove removes both with the key. It returns the paths.
func (s Store) ForSSH(key crypto.Signer, r *v1alpha1.TaskAccessRequest, known string) (identityFile, knownHostsFile string, err error) {
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", "", fmt.Errorf("write the key for ssh: %w", err)
	}
	private, err := OpenSSH(key, r.Name)
	if err != nil {
		return "", "", err
	}
	if !uidForm.MatchString(string(r.UID)) {
		return "", "", fmt.Errorf("the request's UID %.40q is none", r.UID)
	}
	identityFile, knownHostsFile = s.forSSH(public, r.UID)
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		return "", "", fmt.Errorf("write the key for ssh: %w", err)
	}
	for path, content := range map[string][]byte{identityFile: private, knownHostsFile: []byte(known)} {
		if err := replace(path, content); err != nil {
			return "", "", fmt.Errorf("write the key for ssh: %w", err)
		}
	}
	return identityFile, knownHostsFile, nil
}

// replace puts a file, for the user alone, in the place of an older one.
func replace(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".ssh-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(content)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
