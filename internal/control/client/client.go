// Package client is the proxy's side of the control channel. It links no client-go.
package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"google.golang.org/grpc/metadata"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/grant"
)

// Options of a Client. All but Timing is required.
type Options struct {
	// Address of the manager, host:port; the host is an IP address, for a proxy
	// resolves nothing.
	Address string
	// ServerName that the manager's certificate must have, by default
	// control.ServerName; CA who vouches for it, PEM.
	ServerName string
	CA         []byte
	// TokenFile is the projected token; it is read at every call, for it rotates.
	TokenFile string
	// Version of this binary.
	Version string
	Log     logr.Logger
	Now     func() time.Time
	Timing  Timing
}

// Timing is the client's waits; a zero field takes the default.
type Timing struct {
	// FirstRetry and LastRetry bound the wait between attempts; it doubles between them.
	FirstRetry, LastRetry time.Duration
	// Beat is the wait between heartbeats while no policy asks for more.
	Beat time.Duration
	// Silence is how long the manager may say nothing.
	Silence time.Duration
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.FirstRetry, 100*time.Millisecond)
	set(&t.LastRetry, 5*time.Second)
	set(&t.Beat, 10*time.Second)
	set(&t.Silence, 30*time.Second)
	return t
}

// Client is the life line of one proxy process. It implements control.Source.
type Client struct {
	address, serverName, tokenFile, version string

	roots  *x509.CertPool
	log    logr.Logger
	now    func() time.Time
	timing Timing

	// The keys never leave the process.
	key     *ecdsa.PrivateKey
	request []byte
	opener  *control.Opener

	// wake says that there is a newer report.
	wake chan struct{}

	mu          sync.Mutex
	report      *control.Report
	certificate *tls.Certificate
	contact     time.Time
	connection  *connection
	// connected is closed when there is a connection.
	connected chan struct{}
	// leftBehind are held operations whose reviews are to be withdrawn.
	leftBehind []v1alpha1.HeldOperation
}

var _ control.Source = (*Client)(nil)

// New makes a client with fresh keys; it connects when Run runs.
func New(o Options) (*Client, error) {
	if o.Address == "" || o.TokenFile == "" || o.Now == nil {
		return nil, errors.New("the control channel's client needs Address, TokenFile and Now")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(o.CA) {
		return nil, errors.New("the control channel's CA holds no PEM certificate")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the proxy's key: %w", err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("make the proxy's certificate signing request: %w", err)
	}
	opener, err := control.NewOpener()
	if err != nil {
		return nil, err
	}
	if o.ServerName == "" {
		o.ServerName = control.ServerName
	}
	return &Client{
		address: o.Address, serverName: o.ServerName, tokenFile: o.TokenFile, version: o.Version,
		roots: roots, log: o.Log, now: o.Now, timing: o.Timing.withDefaults(),
		key: key, request: request, opener: opener,
		wake: make(chan struct{}, 1), connected: make(chan struct{}),
	}, nil
}

// Report implements control.Source.
func (c *Client) Report(report control.Report) {
	c.mu.Lock()
	c.report = &report
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Certificate implements control.Source.
func (c *Client) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.certificate == nil {
		return nil, control.ErrNoCertificate
	}
	return c.certificate, nil
}

// LastContact implements control.Source.
func (c *Client) LastContact() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.contact
}

// Authenticate implements control.Source. Without a connection it waits for one, as
// long as ctx lets it.
func (c *Client) Authenticate(ctx context.Context, token grant.Secret) (control.User, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	connection, err := c.current(ctx)
	if err != nil {
		return control.User{}, err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, control.ClientTokenKey, token.Reveal())
	answer, err := controlpb.NewControlClient(connection.grpc).AuthenticateClient(ctx, &controlpb.AuthenticateClientRequest{})
	if err != nil {
		return control.User{}, fmt.Errorf("ask the manager whose token it is: %w", err)
	}
	if answer.GetUsername() == "" {
		return control.User{}, errors.New("ask the manager whose token it is: nobody's")
	}
	return control.User{Username: answer.GetUsername(), UID: answer.GetUid(), Groups: answer.GetGroups()}, nil
}

func (c *Client) newestReport() *control.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report
}

// confirmed notes that the state was known to be true at t.
func (c *Client) confirmed(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.contact) {
		c.contact = t
	}
}

// install takes a certificate that the manager made, if it is for our key.
func (c *Client) install(der []byte) error {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("read the certificate that the manager made: %w", err)
	}
	if !c.key.PublicKey.Equal(leaf.PublicKey) {
		return errors.New("the manager made a certificate for another key")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.certificate = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.key, Leaf: leaf}
	return nil
}
