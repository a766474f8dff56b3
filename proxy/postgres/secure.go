package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// alpn is PostgreSQL's name in TLS (RFC 7301).
const alpn = "postgresql"

// secured is a connection to the target as the grant wants it secured.
type secured struct {
	net.Conn
	// tls is its state; nil on plaintext.
	tls *tls.ConnectionState
	// asked says that the server asked for our certificate, and got it.
	asked bool
}

// secure brings raw to TLS as the grant says. Exactly one byte is read before TLS:
// what else came in plaintext meets the TLS handshake, which fails
// (CVE-2021-23222).
func secure(ctx context.Context, raw net.Conn, to grant.PostgresUpstream) (*secured, error) {
	switch to.TLSMode {
	case v1alpha1.PostgresTLSDisable:
		return &secured{Conn: raw}, nil
	case v1alpha1.PostgresTLSVerifyFull, v1alpha1.PostgresTLSVerifyCA:
	default:
		return nil, fmt.Errorf("TLS mode %q is not known", to.TLSMode)
	}
	s := &secured{}
	config, err := s.config(to)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(past) })()
	if _, err := raw.Write(wire.AppendSSLRequest(nil)); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(raw, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, errors.New("the target does not speak TLS: turn it on there, or set the AccessTarget's tls.mode")
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS with the target: %w", err)
	}
	state := conn.ConnectionState()
	s.Conn, s.tls = conn, &state
	return s, nil
}

func (s *secured) config(to grant.PostgresUpstream) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: to.Host, NextProtos: []string{alpn}}
	if to.CABundle != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(to.CABundle)) {
			return nil, errors.New("the target's CA bundle holds no certificate")
		}
	}
	if to.ClientCertificate != "" {
		pair, err := tls.X509KeyPair([]byte(to.ClientCertificate), []byte(to.ClientKey.Reveal()))
		if err != nil {
			return nil, errors.New("the task's client certificate and key do not fit")
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			s.asked = true
			return &pair, nil
		}
	}
	if to.TLSMode == v1alpha1.PostgresTLSVerifyCA {
		// Verified below: the chain, without the name.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, config.RootCAs) }
	}
	return config, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, certificate := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err := state.PeerCertificates[0].Verify(options)
	return err
}
