package reader

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	// maxKeys bounds what is published: one key, and those before it.
	maxKeys = 64
	maxKey  = 4 << 10
)

// PublishedKeys reads the public keys of recordings from a mounted ConfigMap, one PEM
// a file. There are none before the manager has written it.
func PublishedKeys(directory string) ([]string, error) {
	root, err := os.OpenRoot(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the public keys of recordings: %w", err)
	}
	defer func() { _ = root.Close() }()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("read the public keys of recordings: %w", err)
	}
	var keys []string
	for _, entry := range entries {
		// The kubelet's own names begin with two dots; the keys are links to files there.
		if entry.IsDir() || entry.Name()[0] == '.' || len(keys) == maxKeys {
			continue
		}
		key, err := readKey(root, entry.Name())
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func readKey(root *os.Root, name string) (string, error) {
	file, err := root.Open(name)
	if err != nil {
		return "", fmt.Errorf("read the public key %s: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxKey))
	if err != nil {
		return "", fmt.Errorf("read the public key %s: %w", name, err)
	}
	block, _ := pem.Decode(content)
	// A private key that somebody put there must not be published.
	if block == nil || block.Type != "PUBLIC KEY" {
		return "", fmt.Errorf("%s is no public key in PEM", name)
	}
	return string(pem.EncodeToMemory(block)), nil
}
