package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/keys"
)

const (
	// A report has heads, their signatures, and audit events: 128 KiB at most.
	maxMessage     = 256 << 10
	maxHeader      = 32 << 10
	maxConnections = 8192
	// One stream for the life line, one for each held operation (32 at most), the others
	// for clients that authenticate.
	maxStreams = 64
	// stopGrace is how long an orderly stop may take.
	stopGrace = 3 * time.Second
)

// Options of a Server. Everything but Sealer, Certifier and Timing is required.
type Options struct {
	// Address to listen on, host:port.
	Address  string
	Keys     *keys.Root
	Reviews  TokenReviews
	Resolver Resolver
	Provider Provider
	// Sealer answers for recordings; nil signs none.
	Sealer Sealer
	// Certifier makes SSH certificates; nil makes none.
	Certifier Certifier
	Log       logr.Logger
	Now       func() time.Time
	Timing    Timing
}

// Timing is the server's waits; a zero field takes the default.
type Timing struct {
	// Read bounds every question to Provider, Resolver and API server.
	Read time.Duration
	// Hold is how long the Provider may fail before a proxy is sent to another replica.
	Hold time.Duration
	// Silence is how long a proxy may say nothing.
	Silence time.Duration
	// Drain is how long a proxy has, once told that its task has ended, for its last report.
	Drain time.Duration
	// Lifetime is how long a stream lives before the proxy must prove itself anew.
	Lifetime time.Duration
	// ReviewCache is how long the answer of a TokenReview is remembered.
	ReviewCache time.Duration
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.Read, 4*time.Second)
	set(&t.Hold, 15*time.Second)
	set(&t.Silence, time.Minute)
	set(&t.Drain, 10*time.Second)
	set(&t.Lifetime, 30*time.Minute)
	set(&t.ReviewCache, 10*time.Second)
	return t
}

// Server serves the control channel. It fits controller-runtime's Runnable.
type Server struct {
	controlpb.UnimplementedControlServer

	address      string
	keys         *keys.Root
	provider     Provider
	sealer       Sealer
	certifier    Certifier
	resolver     Resolver
	log          logr.Logger
	now          func() time.Time
	timing       Timing
	callers      *authenticator
	clients      *clientTokens
	certificates *certificates
	attaching    *limits
	holding      *limits
	sealing      *limits
	certifying   *limits
	lines        lifeLines

	stopping chan struct{}
	stop     sync.Once
	// streams counts goroutines that outlive their handler by a moment.
	streams sync.WaitGroup
}

// New makes a server.
func New(o Options) (*Server, error) {
	if o.Keys == nil || o.Reviews == nil || o.Resolver == nil || o.Provider == nil || o.Now == nil {
		return nil, errors.New("the control channel's server needs Keys, Reviews, Resolver, Provider and Now")
	}
	timing := o.Timing.withDefaults()
	reviewer := newReviewer(o.Reviews, timing.Read)
	callers, err := newAuthenticator(reviewer, o.Resolver, o.Now, timing, o.Log)
	if err != nil {
		return nil, err
	}
	clients, err := newClientTokens(reviewer)
	if err != nil {
		return nil, err
	}
	// A proxy attaches again after each loss of the network: a burst, then slowly.
	attaching, err := newLimits(1, 10)
	if err != nil {
		return nil, err
	}
	// As many as a policy holds at once come back when the network does.
	holding, err := newLimits(10, 80)
	if err != nil {
		return nil, err
	}
	// A few sessions, each with a segment at its end, and one a second or so before.
	sealing, err := newLimits(10, 50)
	if err != nil {
		return nil, err
	}
	// A proxy keeps a certificate for half of its life: one for each login, and now and then again.
	certifying, err := newLimits(1, 20)
	if err != nil {
		return nil, err
	}
	return &Server{
		address: o.Address, keys: o.Keys, provider: o.Provider, sealer: o.Sealer, certifier: o.Certifier, resolver: o.Resolver, log: o.Log, now: o.Now, timing: timing,
		callers: callers, clients: clients, attaching: attaching, holding: holding, sealing: sealing, certifying: certifying,
		certificates: &certificates{keys: o.Keys, now: o.Now},
		lines:        lifeLines{current: map[string]*lifeLine{}},
		stopping:     make(chan struct{}),
	}, nil
}

// NeedLeaderElection says that every replica serves.
func (*Server) NeedLeaderElection() bool { return false }

// Start listens and serves until ctx ends.
func (s *Server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("listen for proxies: %w", err)
	}
	return s.Serve(ctx, listener)
}

// Serve serves on listener until ctx ends, and closes it. It can be called once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if _, err := s.certificates.get(nil); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := s.grpcServer()
	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(listener, maxConnections)) }()

	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		s.shutDown(server)
		if err = <-served; errors.Is(err, grpc.ErrServerStopped) {
			err = nil // it ended before it had begun
		}
	}
	s.stop.Do(func() { close(s.stopping) })
	server.Stop()
	s.streams.Wait()
	if err != nil {
		return fmt.Errorf("serve proxies: %w", err)
	}
	return nil
}

func (s *Server) shutDown(server *grpc.Server) {
	s.stop.Do(func() { close(s.stopping) })
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		server.GracefulStop()
	}()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-graceful:
	case <-timer.C:
		server.Stop()
		<-graceful
	}
}

func (s *Server) grpcServer() *grpc.Server {
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{
			MinVersion:     tls.VersionTLS13,
			GetCertificate: s.certificates.get,
		})),
		grpc.UnaryInterceptor(s.callers.unary),
		grpc.StreamInterceptor(s.callers.stream),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(5*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: time.Minute, Time: 10 * time.Second, Timeout: 5 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	controlpb.RegisterControlServer(server, s)
	return server
}
