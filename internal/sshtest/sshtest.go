// Package sshtest starts throwaway OpenSSH servers for tests: Debian's sshd on a free
// port of 127.0.0.1, with accounts of its own that the machine never hears of. It
// wants root, since sshd does, to become whoever logs in.
package sshtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/servertest"
)

// Options of a server. The zero value is a server that nobody can log in to.
type Options struct {
	// CAKeys sign certificates that the server takes, whose principal is the login.
	CAKeys []ssh.PublicKey
	// AuthorizedKeys are plain keys that it takes, by login.
	AuthorizedKeys map[string][]ssh.PublicKey
	// Passwords that it takes, by login. Without any, it asks for none.
	Passwords map[string]string
	// HostCA, when there is one, certifies the host key for localhost and 127.0.0.1.
	HostCA ssh.Signer
	// RevokedKeys is a list of public keys or an OpenSSH KRL.
	RevokedKeys []byte
	// Config are lines of sshd_config that count before ours; from the first Match on
	// they go last.
	Config []string
}

// Server is a running sshd. Its methods are safe for concurrent use. Stop ends it and
// everything that anybody runs in its sessions, at once.
type Server struct {
	*servertest.Process
	// Host is 127.0.0.1.
	Host string
	Port int
	// HostKey is the server's only one, Ed25519.
	HostKey ssh.PublicKey
	// HostCertificate is there with Options.HostCA.
	HostCertificate *ssh.Certificate
	// HostKeyFile holds the private half, HostKeyFile+".pub" the public one.
	HostKeyFile string

	root    string
	program string
}

// ErrMissing says that this machine or user cannot run an OpenSSH server.
var ErrMissing = errors.New("no OpenSSH server can run here")

// AllowMissing, set to 1 in the environment, skips tests that lack a server.
const AllowMissing = servertest.AllowMissing

const sftpServer = "/usr/lib/openssh/sftp-server"

// Start runs a server until the test ends.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	s, err := Run(options)
	return servertest.Keep(t, s, err, ErrMissing)
}

// Run starts a server for callers without a test, such as TestMain; they Close it.
func Run(options Options) (*Server, error) {
	program, err := findServer()
	if err != nil {
		return nil, err
	}
	// TMPDIR may be root's alone; whoever logs in has to reach a home in here.
	root, err := os.MkdirTemp("/tmp", "sallyport-ssh-")
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", HostKeyFile: filepath.Join(root, "host_key"), root: root, program: program}
	s.Process = &servertest.Process{Name: "sshd", LogFile: s.path("log"), Command: s.command, Ready: s.ready}
	if err := s.create(options); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func findServer() (string, error) {
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%w: sshd becomes whoever logs in, so this needs root (%s=1 skips it)", ErrMissing, AllowMissing)
	}
	if _, err := os.Stat(sftpServer); err != nil {
		return "", fmt.Errorf("%w: run hack/setup.sh: %w", ErrMissing, err)
	}
	// sshd wants its own absolute path, to run itself for each connection.
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if path := filepath.Join(folder, "sshd"); filepath.IsAbs(path) {
			if found, err := exec.LookPath(path); err == nil {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("%w: no sshd found: run hack/setup.sh", ErrMissing)
}

// create lays out the server's files and starts it.
func (s *Server) create(options Options) error {
	err := errors.Join(
		os.Chmod(s.root, 0o755),
		s.writeAccounts(options.Passwords),
		s.makeHostKey(options.HostCA),
		s.SetCAKeys(options.CAKeys...),
		s.SetRevokedKeys(options.RevokedKeys),
		os.Mkdir(s.path("keys"), 0o755),
	)
	if err != nil {
		return err
	}
	for _, login := range Logins() {
		if err := s.SetAuthorizedKeys(login, options.AuthorizedKeys[login]...); err != nil {
			return err
		}
	}
	return servertest.OnFreePort(func(port int) error {
		s.Port = port
		if err := s.write("sshd_config", s.config(options), 0o600); err != nil {
			return err
		}
		return s.Start()
	})
}

func (s *Server) makeHostKey(ca ssh.Signer) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if s.HostKey, err = ssh.NewPublicKey(public); err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "throwaway host key")
	if err != nil {
		return err
	}
	err = errors.Join(
		s.write("host_key", pem.EncodeToMemory(block), 0o600),
		s.write("host_key.pub", ssh.MarshalAuthorizedKey(s.HostKey), 0o644),
	)
	if err != nil || ca == nil {
		return err
	}
	s.HostCertificate = &ssh.Certificate{
		Key: s.HostKey, CertType: ssh.HostCert, KeyId: "throwaway host", ValidPrincipals: []string{"localhost", s.Host},
		ValidAfter: uint64(time.Now().Add(-time.Hour).Unix()), ValidBefore: uint64(time.Now().Add(24 * time.Hour).Unix()),
	}
	if err := s.HostCertificate.SignCert(rand.Reader, ca); err != nil {
		return err
	}
	return s.write("host_key-cert.pub", ssh.MarshalAuthorizedKey(s.HostCertificate), 0o644)
}

// SetCAKeys replaces the authorities whose certificates the server takes, from the
// next login on.
func (s *Server) SetCAKeys(keys ...ssh.PublicKey) error {
	return s.write("ca_keys", lines(keys), 0o644)
}

// SetAuthorizedKeys replaces the plain keys of a login.
func (s *Server) SetAuthorizedKeys(login string, keys ...ssh.PublicKey) error {
	return s.write(filepath.Join("keys", login), lines(keys), 0o644)
}

// SetRevokedKeys replaces the list of revoked keys: text, or an OpenSSH KRL.
func (s *Server) SetRevokedKeys(list []byte) error {
	return s.write("revoked_keys", list, 0o644)
}

func lines(keys []ssh.PublicKey) []byte {
	var all bytes.Buffer
	for _, key := range keys {
		all.Write(ssh.MarshalAuthorizedKey(key))
	}
	return all.Bytes()
}

// Close stops the server and removes everything that it left.
func (s *Server) Close() {
	s.Stop()
	_ = os.RemoveAll(s.root)
}

// Address is Host and Port, to dial.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Home is a login's home directory: the same path for the test and for the login.
func (s *Server) Home(login string) string { return s.path("home", login) }

// KnownHosts is a line of known_hosts for the server.
func (s *Server) KnownHosts() string {
	return fmt.Sprintf("[%s]:%d %s", s.Host, s.Port, ssh.MarshalAuthorizedKey(s.HostKey))
}

func (s *Server) path(parts ...string) string {
	return filepath.Join(slices.Concat([]string{s.root}, parts)...)
}

// write replaces a file in one step: sshd reads some of them at every login.
func (s *Server) write(name string, content []byte, mode os.FileMode) error {
	staging := s.path(name + ".new")
	if err := os.WriteFile(staging, content, mode); err != nil {
		return err
	}
	// Whatever the umask is, sshd reads these as whoever logs in.
	return errors.Join(os.Chmod(staging, mode), os.Rename(staging, s.path(name)))
}
