package access

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/terminal/terminaltest"
	"github.com/sallyport/sallyport/internal/cli/tunnel/tunneltest"
)

// sshPod is a task's proxy that takes one key, and answers a command with the login, the
// key and the command, and exit status 3.
func sshPod(host ssh.Signer, accepted string) func(io.ReadWriter) error {
	return func(stream io.ReadWriter) error {
		config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if ssh.FingerprintSHA256(key) != accepted {
				return nil, fmt.Errorf("another key")
			}
			return nil, nil
		}}
		config.AddHostKey(host)
		conn, channels, requests, err := ssh.NewServerConn(streamConn{stream}, config)
		if err != nil {
			return nil // what the client says of it counts
		}
		go ssh.DiscardRequests(requests)
		for proposed := range channels {
			channel, requests, err := proposed.Accept()
			if err != nil {
				return err
			}
			for request := range requests {
				_ = request.Reply(request.Type == "exec", nil)
				if request.Type != "exec" {
					continue
				}
				var command struct{ Line string }
				if err := ssh.Unmarshal(request.Payload, &command); err != nil {
					return err
				}
				fmt.Fprintf(channel, "%s ran %s\n", conn.User(), command.Line)
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{3}))
				_ = channel.Close()
			}
		}
		return nil
	}
}

// streamConn is a stream with the rest of a net.Conn.
type streamConn struct{ io.ReadWriter }

func (streamConn) Close() error                     { return nil }
func (streamConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (streamConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (streamConn) SetDeadline(time.Time) error      { return nil }
func (streamConn) SetReadDeadline(time.Time) error  { return nil }
func (streamConn) SetWriteDeadline(time.Time) error { return nil }

func newHostKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// newSSHDesk is bob's desk with the request pay-1423, whose proxy is an SSH server that
// has the host key shown; its config reaches that.
func newSSHDesk(t *testing.T, host ssh.Signer, shown string) (*desk, *rest.Config) {
	t.Helper()
	d := newDesk(t)
	d.ask()
	r := d.get("pay-1423")
	d.status(r, func(s *v1alpha1.TaskAccessRequestStatus) {
		s.Endpoint = &v1alpha1.Endpoint{
			Namespace: "sallyport-proxies", Pod: "sp-1", Service: "sp-1", Port: 2222, ServerName: "sp-1.example",
			HostKey: shown, Logins: []string{"deploy", "audit"},
		}
		s.Conditions = []metav1.Condition{condition("ProxyReady", metav1.ConditionTrue, "Ready", "listens")}
	})
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(r.Spec.ClientKeys[0]))
	if err != nil {
		t.Fatal(err)
	}
	kubelet := &tunneltest.Kubelet{
		T: t, Path: "/api/v1/namespaces/sallyport-proxies/pods/sp-1/portforward", Pod: sshPod(host, ssh.FingerprintSHA256(public)),
	}
	return d, apitest.Front(t, d.bob, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/portforward") {
			return false
		}
		kubelet.ServeHTTP(w, r)
		return true
	})
}

func needOpenSSH(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err == nil {
		return
	}
	if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
		t.Skip("no ssh on PATH: install OpenSSH's client (hack/setup.sh)")
	}
	t.Fatal("no ssh on PATH: install OpenSSH's client (hack/setup.sh)")
}

func TestSSHRunsThroughTheTunnelWithTheRequestsKey(t *testing.T) {
	t.Parallel()
	needOpenSSH(t)
	host, shown := newHostKey(t)
	d, config := newSSHDesk(t, host, shown)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"the first login":            {[]string{"ssh", "PAY-1423", "--", "uptime", "-p"}, "deploy ran uptime -p\n"},
		"another login":              {[]string{"ssh", "pay-1423", "-l", "audit", "--", "id"}, "audit ran id\n"},
		"an option behind the host":  {[]string{"ssh", "pay-1423", "--", "-T", "id"}, "deploy ran id\n"},
		"ssh's own way to say login": {[]string{"ssh", "pay-1423", "--", "-l", "audit", "id"}, "audit ran id\n"},
	} {
		out, stderr, err := d.execute(config, test.args...)
		if kube.ExitCode(err) != 3 || out != test.want {
			t.Errorf("%s: exit code %d, %v\n%s%s", name, kube.ExitCode(err), err, out, stderr)
		}
	}
	if _, _, err := d.execute(config, "ssh", "pay-1423", "-l", "root"); err == nil || !strings.Contains(err.Error(), `no login "root": it has deploy, audit`) {
		t.Errorf("a login that the request does not have: %v", err)
	}
	if _, _, err := d.execute(config, "ssh", "pay-1423", "-N"); err == nil || !strings.Contains(err.Error(), "options of ssh stand behind --") {
		t.Errorf("an option of ssh's before the dashes: %v", err)
	}
	if _, _, err := d.execute(config, "psql", "pay-1423"); err == nil || !strings.Contains(err.Error(), "ssh") && !strings.Contains(err.Error(), "PATH") {
		t.Errorf("psql on an SSH server: %v", err)
	}
}

func TestSSH4_AnotherHostKeyThanTheStatusSaysEndsTheConnection(t *testing.T) {
	t.Parallel()
	needOpenSSH(t)
	host, _ := newHostKey(t)
	_, other := newHostKey(t)
	d, config := newSSHDesk(t, host, other)
	out, _, err := d.execute(config, "ssh", "pay-1423", "--", "id")
	if kube.ExitCode(err) != 255 || out != "" {
		t.Errorf("exit code %d, %v: %s", kube.ExitCode(err), err, out)
	}
}

func TestSSHConfigLetsOtherProgramsGoTheSameWay(t *testing.T) {
	t.Parallel()
	needOpenSSH(t)
	host, shown := newHostKey(t)
	d, config := newSSHDesk(t, host, shown)
	block, stderr, err := d.execute(config, "ssh-config", "pay-1423", "--context", "prod's 100%")
	if err != nil {
		t.Fatal(err, stderr)
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	parsed, err := exec.Command("ssh", "-G", "-F", path, "pay-1423").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, parsed, block)
	}
	for _, want := range []string{
		"user deploy", "hostkeyalias sp-1.example", "stricthostkeychecking true", "verifyhostkeydns false", "identitiesonly yes", "hostname sp-1.example",
		`proxycommand kubectl access proxy-command pay-1423 --namespace=` + d.namespace + ` '--context=prod'\''s 100%%'`,
	} {
		if !strings.Contains(string(parsed), want+"\n") {
			t.Errorf("ssh does not read %q in\n%s", want, parsed)
		}
	}
	identity := regexp.MustCompile(`IdentityFile "(.*)"`).FindStringSubmatch(block)[1]
	if info, err := os.Stat(identity); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity file: %v, %v", info, err)
	}
	if public, err := exec.Command("ssh-keygen", "-y", "-f", identity).Output(); err != nil ||
		!strings.HasPrefix(d.get("pay-1423").Spec.ClientKeys[0], strings.Join(strings.Fields(string(public))[:2], " ")) {
		t.Errorf("ssh-keygen reads %q, %v", public, err)
	}
	if _, _, err := d.execute(d.bob, "close", "pay-1423"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(d.keys.Folder); err != nil || len(left) > 0 {
		t.Errorf("after close there still are %v (%v)", left, err)
	}
	if _, _, err := d.execute(config, "ssh-config", "pay-1423", "--token", "secret"); err == nil {
		t.Error("a token was written to a configuration")
	}
}

func TestProxyCommandIsAConnectionToTheProxy(t *testing.T) {
	t.Parallel()
	host, shown := newHostKey(t)
	d, config := newSSHDesk(t, host, shown)
	key, err := d.keys.Find(d.get("pay-1423").Spec.ClientKeys)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	toProxy, fromClient := io.Pipe()
	toClient, fromProxy := io.Pipe()
	ended := make(chan error, 1)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	go func() {
		streams := genericiooptions.IOStreams{In: toProxy, Out: fromProxy, ErrOut: &bytes.Buffer{}}
		ended <- d.command(config, streams, "proxy-command", "pay-1423").ExecuteContext(ctx)
	}()
	conn, channels, requests, err := ssh.NewClientConn(streamConn{struct {
		io.Reader
		io.Writer
	}{toClient, fromClient}}, "", &ssh.ClientConfig{
		User: "deploy", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(host.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	// Ctrl-C is the client's, which goes on.
	interrupt()
	client := ssh.NewClient(conn, channels, requests)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := session.Output("id"); string(out) != "deploy ran id\n" || err == nil {
		t.Errorf("%q %v", out, err)
	}
	_ = fromClient.Close()
	if err := <-ended; err != nil {
		t.Errorf("the command ends with %v", err)
	}
}

func TestConnectPrintsTheLinesOfAnSSHServer(t *testing.T) {
	t.Parallel()
	needOpenSSH(t)
	host, shown := newHostKey(t)
	d, config := newSSHDesk(t, host, shown)
	out := &terminaltest.Buffer{}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- d.command(config, genericiooptions.IOStreams{Out: out, ErrOut: out}, "connect", "pay-1423").ExecuteContext(ctx)
	}()
	gomega.NewWithT(t).Eventually(out.String, "10s", "20ms").Should(gomega.ContainSubstring("Connect by one of the lines above"))
	line, _, _ := strings.Cut(out.String(), "\n")
	words := append(strings.Fields(line), "id")
	answer, err := exec.CommandContext(ctx, words[0], words[1:]...).Output()
	if string(answer) != "deploy ran id\n" {
		t.Errorf("%s: %q, %v", line, answer, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
