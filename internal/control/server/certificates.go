package server

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/keys"
)

// certificates is the manager's own server certificate: made in memory by each
// replica, and anew at two thirds of its life.
type certificates struct {
	keys *keys.Root
	now  func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	renewAt time.Time
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.current != nil && now.Before(c.renewAt) {
		return c.current, nil
	}
	made, err := c.keys.ManagerCertificate(now)
	if err != nil {
		return nil, err
	}
	c.current, c.renewAt = &made, now.Add(keys.ServingLifetime*2/3)
	return c.current, nil
}

// renewal is when a task's certificate should be made anew: at two thirds of its life.
func renewal(der []byte, now time.Time) (time.Time, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return time.Time{}, err
	}
	return now.Add(certificate.NotAfter.Sub(now) * 2 / 3), nil
}
