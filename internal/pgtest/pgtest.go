// Package pgtest starts throwaway PostgreSQL servers for tests: the real thing,
// on a free port of 127.0.0.1, with TLS and SCRAM unless asked otherwise. As root
// it runs them as the user postgres, since PostgreSQL refuses root.
package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/servertest"
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

// Server is a running PostgreSQL. Its methods are safe for concurrent use. Stop ends it as
// a fast shutdown does: sessions are cut.
type Server struct {
	*servertest.Process
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
}

// ErrMissing says that there is no PostgreSQL to start.
var ErrMissing = errors.New("no PostgreSQL server found: run hack/setup.sh, or point PG_BINDIR at the folder that holds initdb and postgres")

// AllowMissing, set to 1 in the environment, skips tests that lack a server.
const AllowMissing = servertest.AllowMissing

const (
	superuser = "postgres"
	password  = "throwaway superuser" // of servers that live as long as a test, on loopback
)

// Start runs a server until the test ends.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	s, err := Run(options)
	return servertest.Keep(t, s, err, ErrMissing)
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
	s.Process = &servertest.Process{
		Name: "PostgreSQL", LogFile: filepath.Join(root, "log"), Command: s.command, Ready: s.ready,
		// A fast shutdown, then an immediate one.
		Goodbyes: []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT},
	}
	if err := s.create(options); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// create lays out the data directory and starts the server.
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
	return servertest.OnFreePort(func(port int) error {
		s.Port = port
		if err := s.owner.writeFile(filepath.Join(s.DataDir, "postgresql.conf"), s.conf(options)); err != nil {
			return err
		}
		return s.Start()
	})
}

// command runs the server as its owner.
func (s *Server) command() *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.binaries, "postgres"), "-D", s.DataDir)
	cmd.Dir = s.root
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner.credential, Setpgid: true}
	return cmd
}

// ready reads the state that the postmaster writes into its pid file.
func (s *Server) ready(string) bool {
	content, err := os.ReadFile(filepath.Join(s.DataDir, "postmaster.pid"))
	return err == nil && strings.HasSuffix(strings.TrimSpace(string(content)), "ready")
}

// Close stops the server and removes everything that it left.
func (s *Server) Close() {
	s.Stop()
	_ = os.RemoveAll(s.root)
}
