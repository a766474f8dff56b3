package drivers

import (
	"bufio"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
	"github.com/sallyport/sallyport/proxy/standalone"
)

// password is the superuser's on the target and the client's token at the proxy:
// the same words connect to either.
const password = "secret"

// place is where a suite connects to: a server, or the proxy in front of it.
type place struct {
	host     string
	port     int
	database string
	user     string
	// ca is the file with the certificate that vouches for what listens there.
	ca string
	// key and certificate are what a client of the proxy has in place of a password.
	// (A token would do, too, but the proxy takes few of them in a second.)
	certificate, key string
}

// words are a connection string over TLS.
func (p place) words(more ...string) string {
	words := []string{"host=" + p.host, "port=" + strconv.Itoa(p.port), "user=" + p.user, "dbname=" + p.database, "sslmode=verify-full", "sslrootcert=" + p.ca}
	if p.key != "" {
		words = append(words, "sslcert="+p.certificate, "sslkey="+p.key)
	} else {
		words = append(words, "password="+password)
	}
	return strings.Join(append(words, more...), " ")
}

// plain are the words without TLS.
func (p place) plain() string {
	return strings.Join([]string{
		"host=" + p.host, "port=" + strconv.Itoa(p.port), "user=" + p.user, "dbname=" + p.database, "password=" + password, "sslmode=disable",
	}, " ")
}

// direct is the server itself.
func direct(t testing.TB, target *pgtest.Server, database, user string) place {
	t.Helper()
	ca := filepath.Join(readable(t), "ca.crt")
	if err := os.WriteFile(ca, target.CAPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	return place{host: "127.0.0.1", port: target.Port, database: database, user: user, ca: ca}
}

var otherProxy = flag.String("proxy", "", "a built proxy to test in place of this tree's")

var buildProxy = sync.OnceValues(func() (string, error) {
	if *otherProxy != "" {
		return *otherProxy, nil
	}
	dir, err := os.MkdirTemp("", "sallyport-drivers-")
	if err != nil {
		return "", err
	}
	built = dir
	program := filepath.Join(dir, "proxy")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/sallyport/sallyport/cmd/proxy").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the proxy: %w\n%s", err, out)
	}
	return program, nil
})

// built is removed when the tests end.
var built string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asServer {
		if err := standIn(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "sshd:", err)
			os.Exit(255)
		}
		return
	}
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// front is how the proxy meets clients.
type front struct {
	// certificate, key and ca are files of the server's certificate, and of what
	// vouches for it; without them the proxy makes its own.
	certificate, key, ca string
	// targetName is the name in the target's certificate; localhost without it.
	targetName string
	// clientKeys are certificates (files) of clients that need no password.
	clientKeys []string
	// policy changes the policy.
	policy func(*v1alpha1.AccessPolicySpec)
}

// proxied is the proxy's own process in front of the server, whose grant allows
// whatever the login may do and whose policy has no rules.
func proxied(t testing.TB, target *pgtest.Server, database, user string, f front) place {
	t.Helper()
	program, err := buildProxy()
	if err != nil {
		t.Fatal(err)
	}
	folder := readable(t)
	p := place{host: "127.0.0.1", database: database, user: user, certificate: filepath.Join(folder, "client.crt"), key: filepath.Join(folder, "client.key")}
	writeKey(t, p)
	spec := v1alpha1.AccessPolicySpec{
		TaskTypes: []string{"test"}, Targets: []string{"scratch"},
		Grant:   v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: database, Unrestricted: true}},
		Session: v1alpha1.SessionPolicy{MaxDurationSeconds: 7200, IdleSeconds: 3600, MaxConcurrent: 64},
	}
	if f.policy != nil {
		f.policy(&spec)
	}
	file := standalone.File{
		State: grant.State{
			Phase: grant.Granted,
			Task: grant.Task{RequestUID: "drivers", Request: "drivers", Namespace: "here", ID: "DRIVERS", Type: "test", Requester: "tester", Target: "scratch",
				ClientKeys: keys(t, append(f.clientKeys, p.certificate))},
			Grant: &grant.Grant{PolicyName: "everything", Policy: spec, Postgres: &grant.PostgresUpstream{
				Host: cmp.Or(f.targetName, "localhost"), Addresses: []string{target.Host}, Port: int32(target.Port),
				TLSMode: v1alpha1.PostgresTLSVerifyFull, CABundle: string(target.CAPEM),
				Database: database, User: user, Password: password,
			}},
		},
		ClientToken: password,
	}
	recordings := filepath.Join(folder, "recordings")
	content, err := yaml.Marshal(file)
	if err = errors.Join(err, os.Mkdir(recordings, 0o755), os.WriteFile(filepath.Join(folder, "grant.yaml"), content, 0o600)); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"--grant-file", filepath.Join(folder, "grant.yaml"), "--listen", "127.0.0.1:0", "--recording-dir", recordings}
	p.ca = filepath.Join(recordings, "server-ca.crt")
	if f.certificate != "" {
		p.ca = f.ca
		arguments = append(arguments, "--tls-cert", f.certificate, "--tls-key", f.key)
	}
	_, port, _ := strings.Cut(serve(t, exec.Command(program, arguments...)), ":")
	if p.port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	return p
}

// writeKey makes the key of a client, and the certificate that shows it.
func writeKey(t testing.TB, p place) {
	t.Helper()
	key := sessiontest.NewKey(t, "tester")
	private, err := x509.MarshalPKCS8PrivateKey(key.Certificate.PrivateKey)
	if err = errors.Join(err,
		os.WriteFile(p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		os.WriteFile(p.certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate.Certificate[0]}), 0o600)); err != nil {
		t.Fatal(err)
	}
	own(t, nobody, p.key)
	own(t, nobody, p.certificate)
}

// keys are the public keys of certificates, as lines of authorized_keys.
func keys(t testing.TB, files []string) []string {
	t.Helper()
	var lines []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(content)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ssh.NewPublicKey(certificate.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
	}
	return lines
}

// launched is a proxy's process.
type launched struct {
	*exec.Cmd
	listening chan string
	exited    chan error
	// last are its last words, once it has exited.
	last []string
}

func launch(process *exec.Cmd) (*launched, error) {
	stderr, err := process.StderrPipe()
	if err != nil {
		return nil, err
	}
	l := &launched{Cmd: process, listening: make(chan string, 1), exited: make(chan error, 1)}
	if err := process.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "Listening" {
				l.listening <- line.Address
			}
			if l.last = append(l.last, lines.Text()); len(l.last) > 20 {
				l.last = l.last[1:]
			}
		}
		l.exited <- process.Wait()
	}()
	return l, nil
}

// address is where it listens, once it does.
func (l *launched) address() (string, error) {
	select {
	case address := <-l.listening:
		return address, nil
	case err := <-l.exited:
		l.exited <- err
		return "", fmt.Errorf("the proxy did not start: %w\n%s", err, strings.Join(l.last, "\n"))
	case <-time.After(30 * time.Second):
		return "", errors.New("the proxy does not listen")
	}
}

// serve runs the proxy until the test ends, and returns where it listens.
func serve(t testing.TB, process *exec.Cmd) string {
	t.Helper()
	proxy, err := launch(process)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-proxy.exited:
			if err != nil {
				t.Errorf("the proxy ended with %v; its last words:\n%s", err, strings.Join(proxy.last, "\n"))
			}
		case <-time.After(30 * time.Second):
			_ = process.Process.Kill()
			<-proxy.exited
			t.Error("the proxy does not stop")
		}
	})
	address, err := proxy.address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// readable is a folder that other users can read, too: suites run as one when we
// are root.
func readable(t testing.TB) string {
	t.Helper()
	base := os.TempDir()
	if os.Geteuid() == 0 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "sallyport-drivers-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs a command with a limit, and returns what it said.
func run(t testing.TB, limit time.Duration, environment []string, program string, arguments ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = append(os.Environ(), environment...)
	command.WaitDelay = time.Second
	out, err := command.CombinedOutput()
	return string(out), err
}
