// Package wire is how object stores are reached: to vouched-for servers only, with a
// bound on every wait, and again after a pause when that may help.
package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Options of a transport.
type Options struct {
	// CABundle (PEM) vouches for the servers; the system's authorities if empty.
	CABundle []byte
	// Addresses are dialled in order in place of what a URL's host resolves to, as
	// "IP" or "IP:port": proxies have no DNS. The certificate must be the URL's host's
	// all the same. Resolve names if empty.
	Addresses []string
	// Idle bounds the wait for the next bytes of either direction; 0 is DefaultIdle.
	Idle time.Duration
	// Dial replaces net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// DefaultIdle is how long a store may say nothing.
const DefaultIdle = 10 * time.Second

// Transport makes an HTTP/1.1 transport, which heeds no proxy of the environment.
func Transport(options Options) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(options.CABundle) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(options.CABundle) {
			return nil, errors.New("the recordings store's CA bundle holds no certificate: give PEM")
		}
	}
	d := dialer{addresses: options.Addresses, idle: options.Idle, dial: options.Dial}
	if d.idle == 0 {
		d.idle = DefaultIdle
	}
	if d.dial == nil {
		d.dial = (&net.Dialer{Timeout: d.idle, KeepAlive: 15 * time.Second}).DialContext
	}
	return &http.Transport{
		DialContext: d.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: d.idle,
		// Recordings are compressed already, and ranges are of what is stored.
		DisableCompression: true,
		MaxIdleConns:       16, MaxIdleConnsPerHost: 16, IdleConnTimeout: d.idle,
	}, nil
}

type dialer struct {
	addresses []string
	idle      time.Duration
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
}

// DialContext tries the addresses in order, with a share of the time for each.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	addresses := []string{address}
	if len(d.addresses) > 0 {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial the recordings store: %w", err)
		}
		addresses = nil
		for _, a := range d.addresses {
			if _, _, err := net.SplitHostPort(a); err != nil {
				a = net.JoinHostPort(a, port)
			}
			addresses = append(addresses, a)
		}
	}
	var errs error
	for _, a := range addresses {
		attempt, cancel := context.WithTimeout(ctx, d.idle/time.Duration(len(addresses)))
		connection, err := d.dial(attempt, network, a)
		cancel()
		if err == nil {
			return &bounded{connection, d.idle}, nil
		}
		errs = errors.Join(errs, err)
	}
	return nil, fmt.Errorf("dial the recordings store: %w", errs)
}

// bounded is a connection that fails when the other side neither sends nor takes
// anything for some time.
type bounded struct {
	net.Conn
	idle time.Duration
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.SetReadDeadline(time.Now().Add(b.idle)); err != nil { //nolint:forbidigo // the kernel's deadline
		return 0, err
	}
	return b.Conn.Read(p)
}

// Write renews the bound of a Read too: the one that awaits the answer began when the
// connection was last idle.
func (b *bounded) Write(p []byte) (int, error) {
	if err := b.SetDeadline(time.Now().Add(b.idle)); err != nil { //nolint:forbidigo // the kernel's deadline
		return 0, err
	}
	return b.Conn.Write(p)
}
