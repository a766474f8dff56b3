package reader

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	maxConnections = 256
	// A user's groups and extra come as headers.
	maxHeader = 256 << 10
	stopGrace = 4 * time.Second
)

// Server serves the API over TLS, and the kubelet's probes beside it.
type Server struct {
	Handler     http.Handler
	Certificate *Certificate
	// Ready says that the API can be served.
	Ready func() bool
}

// Serve serves the API on api and the probes on health until ctx ends, and closes both.
func (s *Server) Serve(ctx context.Context, api, health net.Listener) error {
	servers := []*http.Server{s.apiServer(), s.healthServer()}
	listeners := []net.Listener{
		tls.NewListener(netutil.LimitListener(api, maxConnections), servers[0].TLSConfig), netutil.LimitListener(health, 16),
	}
	served := make(chan error, len(servers))
	for i := range servers {
		go func() { served <- servers[i].Serve(listeners[i]) }()
	}
	var failed error
	left := len(servers)
	select {
	case failed = <-served:
		left--
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	for _, server := range servers {
		if err := server.Shutdown(stopping); err != nil {
			failed = errors.Join(failed, server.Close())
		}
	}
	for range left {
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return fmt.Errorf("serve recordings: %w", failed)
	}
	return nil
}

func (s *Server) apiServer() *http.Server {
	return &http.Server{
		Handler: s.Handler,
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS13,
			NextProtos: []string{"h2", "http/1.1"},
			// Asked for, and judged by the authenticator, which follows the authority.
			ClientAuth:     tls.RequestClientCert,
			GetCertificate: s.Certificate.Get,
		},
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: requestLimit + askLimit,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
		// Handshakes of scanners are no news, and their words are not ours to log.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

func (s *Server) healthServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := s.Certificate.Get(nil); err != nil || !s.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
}
