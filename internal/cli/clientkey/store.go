// Package clientkey keeps the private keys by which a requester proves to a proxy
// who they are: one a request, in the user's configuration folder.
package clientkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// ErrNone is a request none of whose keys is here.
var ErrNone = errors.New("none of the request's client keys is on this machine: connect from the one that made the request, or name the private key with --key")

// Store is a folder of private keys, each named by its public key: the request
// lists that, so a key is found before and after the request has a UID.
type Store struct{ Folder string }

// Default is the user's own store.
func Default() (Store, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return Store{}, fmt.Errorf("find your configuration folder: %w", err)
	}
	return Store{Folder: filepath.Join(config, "sallyport", "keys")}, nil
}

// Generate makes a key and keeps it, readable by the user alone. ECDSA on P-256 is
// what every libpq and OpenSSH takes.
func (s Store) Generate() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("keep the client key: %w", err)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := write(s.path(public), content); err != nil {
		return nil, fmt.Errorf("keep the client key: %w", err)
	}
	return key, nil
}

// write makes a file that was not there before: no symbolic link is followed.
func write(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}

// Find returns the private key of one of a request's client keys, authorized_keys
// lines; ErrNone if there is none.
func (s Store) Find(authorized []string) (crypto.Signer, error) {
	for _, line := range authorized {
		public, err := parse(line)
		if err != nil {
			continue
		}
		key, err := Load(s.path(public))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return key, err
	}
	return nil, ErrNone
}

// Remove forgets the private keys of a request, and what ssh was given of it.
func (s Store) Remove(r *v1alpha1.TaskAccessRequest) error {
	var failed []error
	for _, line := range r.Spec.ClientKeys {
		public, err := parse(line)
		if err != nil {
			continue
		}
		paths := []string{s.path(public)}
		if uidForm.MatchString(string(r.UID)) {
			identity, knownHosts := s.forSSH(public, r.UID)
			paths = append(paths, identity, knownHosts)
		}
		for _, path := range paths {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

func (s Store) path(public ssh.PublicKey) string { return s.Beside(public, "pem") }

// Beside is the path of a file that belongs to a key of the store.
func (s Store) Beside(public ssh.PublicKey, extension string) string {
	sum := sha256.Sum256(public.Marshal())
	return filepath.Join(s.Folder, hex.EncodeToString(sum[:])+"."+extension)
}

func parse(line string) (ssh.PublicKey, error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	return public, err
}

// Load reads a private key without a passphrase: PKCS #8, SEC 1, PKCS #1 or
// OpenSSH. One that others can read is refused, as ssh does.
func Load(path string) (crypto.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("private key %s can be read by others: chmod 600 it", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	key, err := ssh.ParseRawPrivateKey(content)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("private key %s: a %T cannot sign", path, key)
	}
	return signer, nil
}

// Authorized is a key's public half as a line of authorized_keys.
func Authorized(key crypto.Signer, comment string) (string, error) {
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + " " + comment, nil
}
