// Package pgtest starts throwaway PostgreSQL servers for tests: the real thing,
// on a free port of 127.0.0.1, with TLS and SCRAM unless asked otherwise. As root
// it runs them as the user postgres, since PostgreSQL refuses root.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options of a server. The zero value is a server with TLS and SCRAM.
type Options struct {
	// Version is the server's major version, one of Versions; 0 is the one that
	// VersionEnv names, else Debian's.
	Version int
	// NoTLS turns TLS off.
	NoTLS bool
	// MD5 stores passwords as md5 and asks for them so.
	MD5 bool
	// HBA are lines of pg_hba.conf that go before ours; ours ask everyone for a
	// password over TCP.
	HBA []string
	// Conf are lines of postgresql.conf that go after ours.
	Conf []string
	// Listen are addresses to listen on beside 127.0.0.1.
	Listen []string
	// ServerNames are names of the certificate beside localhost and the
	// addresses that the server listens on.
	ServerNames []string
}

// Server is a running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	// Host is 127.0.0.1.
	Host string
	Port int
	// Superuser and Password log in over TCP, where the HBA lines let them.
	Superuser, Password string
	// CAPEM vouches for the server; nil without TLS.
	CAPEM []byte
	// SocketDir holds the unix socket, where the superuser needs no password.
	SocketDir string
	DataDir   string

	root     string
	binaries string
	owner    *owner
	clientCA *authority

	mu      sync.Mutex
	process *process
}

// ErrMissing says that there is no PostgreSQL to start.
var ErrMissing = errors.New("no PostgreSQL server found: run hack/setup.sh, or point PG_BINDIR at the folder that holds initdb and postgres")

// AllowMissing, set to 1 in the environment, skips tests that lack a server.
const AllowMissing = "SALLYPORT_ALLOW_MISSING"

const (
	superuser = "postgres"
	password  = "throwaway superuser" // of servers that live as long as a test, on loopback
	timeout   = 60 * time.Second
)

// Start runs a server until the test ends.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	s, err := Run(options)
	if errors.Is(err, ErrMissing) && os.Getenv(AllowMissing) == "1" {
		t.Skipf("%s=1: %v", AllowMissing, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last lines of PostgreSQL's log:\n%s", s.logTail())
		}
		s.Close()
	})
	return s
}

// Run starts a server for callers without a test, such as TestMain; they Close it.
func Run(options Options) (*Server, error) {
	binaries, err := findBinaries(options.Version)
	if err != nil {
		return nil, err
	}
	who, err := newOwner()
	if err != nil {
		return nil, err
	}
	root, err := who.tempDir()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Host: "127.0.0.1", Superuser: superuser, Password: password,
		SocketDir: root, DataDir: filepath.Join(root, "data"),
		root: root, binaries: binaries, owner: who,
	}
	if err := s.create(options); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// create lays out the data directory and starts the server. A port can be lost
// between finding and binding it: then the next one is tried.
func (s *Server) create(options Options) error {
	if err := s.owner.copyTemplate(s.binaries, s.DataDir); err != nil {
		return err
	}
	if err := s.certificates(options); err != nil {
		return err
	}
	if err := s.owner.writeFile(filepath.Join(s.DataDir, "pg_hba.conf"), hba(options)); err != nil {
		return err
	}
	var err error
	for range 5 {
		if s.Port, err = freePort(); err != nil {
			return err
		}
		if err = s.owner.writeFile(filepath.Join(s.DataDir, "postgresql.conf"), s.conf(options)); err != nil {
			return err
		}
		if err = s.Start(); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
	}
	return err
}

// Stop ends the server as a fast shutdown does: sessions are cut.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	err := s.process.stop()
	s.process = nil
	return err
}

// Start starts a stopped server on the same port, and waits until it takes
// connections.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return nil
	}
	p, err := s.owner.start(filepath.Join(s.binaries, "postgres"), s.logFile(), "-D", s.DataDir)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.process = p
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := s.awaitReady(ctx); err != nil {
		_ = p.stop()
		s.process = nil
		return fmt.Errorf("start PostgreSQL: %w; its log:\n%s", err, s.logTail())
	}
	return nil
}

// Restart is Stop and Start.
func (s *Server) Restart() error {
	return errors.Join(s.Stop(), s.Start())
}

// Close stops the server and removes everything that it left.
func (s *Server) Close() {
	_ = s.Stop()
	_ = os.RemoveAll(s.root)
}

// Log is what the server has logged so far.
func (s *Server) Log() string {
	content, _ := os.ReadFile(s.logFile())
	return string(content)
}

func (s *Server) logFile() string { return filepath.Join(s.root, "log") }

func (s *Server) logTail() string {
	content := s.Log()
	return content[max(0, len(content)-4096):]
}

// awaitReady follows the state that the postmaster writes into its pid file.
func (s *Server) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		content, err := os.ReadFile(filepath.Join(s.DataDir, "postmaster.pid"))
		if err == nil && strings.HasSuffix(strings.TrimSpace(string(content)), "ready") {
			return nil
		}
		select {
		case <-s.process.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
