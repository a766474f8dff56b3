// Package s3test starts throwaway S3 servers for tests: versitygw, a real one, on a
// free port of 127.0.0.1, over TLS unless asked otherwise, with its buckets as folders
// of a temporary directory. Fronts put faults between a client and it.
package s3test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sallyport/sallyport/internal/servertest"
)

// Options of a server. The zero value is a server with TLS.
type Options struct {
	// Plain turns TLS off.
	Plain bool
	// ServerNames are names of the certificate beside localhost and the addresses.
	ServerNames []string
	// Listen are IP addresses to listen on beside 127.0.0.1, at the same port.
	Listen []string
	// Domain makes the server take "bucket.domain" for the bucket, too.
	Domain string
}

// Server is a running S3 server. Its methods are safe for concurrent use. Stop kills it;
// what it has stored stays.
type Server struct {
	*servertest.Process
	// Endpoint is the URL: "https://127.0.0.1:1234".
	Endpoint string
	// Address is where it listens: "127.0.0.1:1234".
	Address string
	Region  string
	// AccessKey and SecretKey may do everything.
	AccessKey, SecretKey string
	// CAPEM vouches for the server and its fronts; nil without TLS.
	CAPEM []byte

	program, root string
	port          string
	options       Options
	certificate   *tls.Certificate
	client        *http.Client
}

// ErrMissing says that there is no S3 server to start.
var ErrMissing = errors.New("no versitygw found: run `make s3` (hack/s3/build.sh), or set VERSITYGW to the program")

const (
	accessKey = "throwaway"
	secretKey = "throwaway secret" // of servers that live as long as a test, on loopback
	// timeout of one request.
	timeout = 30 * time.Second
)

// Start runs a server until the test ends. Without versitygw the test fails, or is
// skipped where SALLYPORT_ALLOW_MISSING is 1.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	s, err := Run(options)
	return servertest.Keep(t, s, err, ErrMissing)
}

// Run starts a server for callers without a test, such as TestMain; they Close it.
func Run(options Options) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "sallyport-s3-")
	if err != nil {
		return nil, err
	}
	s := &Server{Region: "us-east-1", AccessKey: accessKey, SecretKey: secretKey, program: program, root: root, options: options}
	s.Process = &servertest.Process{Name: "versitygw", LogFile: s.file("log"), Command: s.command, Ready: s.ready}
	if err := s.create(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// find looks for what hack/s3/build.sh builds; the newest, if there are several.
func find() (string, error) {
	if program := os.Getenv("VERSITYGW"); program != "" {
		return program, nil
	}
	cache := os.Getenv("SALLYPORT_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrMissing, err)
		}
		cache = filepath.Join(user, "sallyport")
	}
	found, _ := filepath.Glob(filepath.Join(cache, "s3", "v*", "versitygw"))
	if len(found) == 0 {
		return "", ErrMissing
	}
	return slices.Max(found), nil
}

// create lays out the folders and starts the server.
func (s *Server) create() error {
	for _, folder := range []string{s.data(), s.versions()} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
	}
	scheme, pool := "http", x509.NewCertPool()
	if !s.options.Plain {
		scheme = "https"
		if err := s.certify(); err != nil {
			return err
		}
		pool.AppendCertsFromPEM(s.CAPEM)
	}
	s.client = &http.Client{Timeout: timeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	return servertest.OnFreePort(func(port int) error {
		s.port = strconv.Itoa(port)
		s.Address = net.JoinHostPort("127.0.0.1", s.port)
		s.Endpoint = scheme + "://" + s.Address
		return s.Start()
	})
}

func (s *Server) command() *exec.Cmd {
	arguments := []string{"--region", s.Region, "--access", s.AccessKey, "--secret", s.SecretKey, "--quiet"}
	if s.certificate != nil {
		arguments = append(arguments, "--cert", s.file("server.crt"), "--key", s.file("server.key"))
	}
	for _, address := range append([]string{"127.0.0.1"}, s.options.Listen...) {
		arguments = append(arguments, "--port", net.JoinHostPort(address, s.port))
	}
	if s.options.Domain != "" {
		arguments = append(arguments, "--virtual-domain", s.options.Domain)
	}
	cmd := exec.Command(s.program, append(arguments, "posix", "--versioning-dir", s.versions(), s.data())...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// ready asks, and takes any answer.
func (s *Server) ready(string) bool {
	response, err := s.client.Get(s.Endpoint)
	return err == nil && response.Body.Close() == nil
}

// Close stops the server and removes everything that it left.
func (s *Server) Close() {
	s.Stop()
	_ = os.RemoveAll(s.root)
}

// Bucket makes a bucket; one with object lock is versioned too.
func (s *Server) Bucket(t testing.TB, name string, lock bool) {
	t.Helper()
	if err := s.MakeBucket(t.Context(), name, lock); err != nil {
		t.Fatal(err)
	}
}

// MakeBucket is Bucket for callers without a test.
func (s *Server) MakeBucket(ctx context.Context, name string, lock bool) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	if err := client.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: s.Region, ObjectLocking: lock}); err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	return nil
}

// Client is a client of the server with all rights, to look behind a store's back.
func (s *Server) Client(t testing.TB) *minio.Client {
	t.Helper()
	client, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (s *Server) connect() (*minio.Client, error) {
	return minio.New(s.Address, &minio.Options{
		Creds:  credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""),
		Secure: s.certificate != nil, Region: s.Region, Transport: s.client.Transport, MaxRetries: 1,
	})
}

func (s *Server) data() string            { return s.file("data") }
func (s *Server) versions() string        { return s.file("versions") }
func (s *Server) file(name string) string { return filepath.Join(s.root, name) }
