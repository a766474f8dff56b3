package reader

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// checkEvery is how often the files are looked at, at most.
const checkEvery = 5 * time.Second

var errNoServingCertificate = errors.New("no serving certificate yet: the manager writes Secret sallyport-reader-tls")

// Certificate is the serving certificate from a mounted Secret: tls.crt and tls.key,
// written by the manager after the pod is up, and renewed there.
type Certificate struct {
	Directory string
	Now       func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	encoded []byte
	checked time.Time
}

// Get fits tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.Now(); c.current == nil || now.Sub(c.checked) >= checkEvery {
		c.checked = now
		if err := c.load(); err != nil && c.current == nil {
			return nil, err
		}
	}
	return c.current, nil
}

// load replaces the certificate if the files hold another, whole one.
func (c *Certificate) load() error {
	certificate, err := os.ReadFile(filepath.Join(c.Directory, "tls.crt"))
	if errors.Is(err, os.ErrNotExist) {
		return errNoServingCertificate
	}
	if err != nil {
		return fmt.Errorf("read the serving certificate: %w", err)
	}
	if c.current != nil && bytes.Equal(certificate, c.encoded) {
		return nil
	}
	key, err := os.ReadFile(filepath.Join(c.Directory, "tls.key"))
	if err != nil {
		return fmt.Errorf("read the serving key: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		// The parser's words might quote the key.
		return errors.New("tls.crt and tls.key are not a certificate and its key")
	}
	c.current, c.encoded = &pair, certificate
	return nil
}
