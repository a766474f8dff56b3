package drivers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/standalone"
)

// The suite of golang.org/x/crypto/ssh starts an sshd of its own for each connection, by
// that name, with the connection as its standard input. Through the proxy, this program
// is that sshd where this is its first argument: it starts the proxy, and the real sshd
// behind it.
const asServer = "stand-in-for-sshd"

// What the stand-in finds in its environment.
const (
	realServer = "SALLYPORT_TEST_SSHD"
	proxyAt    = "SALLYPORT_TEST_PROXY"
)

// sshSuite is golang.org/x/crypto/ssh's tests against a real sshd.
func sshSuite() trial {
	return trial{
		suite: suite{name: "ssh", module: "golang.org/x/crypto", version: "v0.58.0", packages: []string{"ssh/test"}},
		mode:  "sshd",
	}
}

func TestTheSSHLibrarysOwnTestsPassThroughTheProxyAsTheyDoDirectly(t *testing.T) {
	r := sshSuite()
	server, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Fatalf("the package openssh-server is missing (hack/setup.sh): %v", err)
	}
	program, err := buildProxy()
	if err != nil {
		t.Fatal(err)
	}
	programs := r.compile(t)
	straight := programs.run(t, []string{"PATH=" + bin(t, server) + ":" + os.Getenv("PATH")})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	through := programs.run(t, []string{"PATH=" + bin(t, copied(t, self)+" "+asServer) + ":" + os.Getenv("PATH"), realServer + "=" + server, proxyAt + "=" + copied(t, program)})
	t.Logf("%s %s: directly %s, through the proxy %s", r.name, r.version, straight.count(), through.count())
	judge(t, r, compare(straight.outcomes, through.outcomes), through.words)
}

// bin is a folder for PATH in which a command is sshd, which wants its whole path.
func bin(t testing.TB, command string) string {
	t.Helper()
	folder := readable(t)
	at := filepath.Join(folder, "sshd")
	if err := os.WriteFile(at, fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", command), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// copied is a program where anybody may run it.
func copied(t testing.TB, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	at := filepath.Join(readable(t), filepath.Base(program))
	if err = errors.Join(err, os.WriteFile(at, content, 0o755)); err != nil {
		t.Fatal(err)
	}
	return at
}

// standIn serves the connection at its standard input through a proxy of its own.
func standIn(ctx context.Context, arguments []string) error {
	// The suite ends its sshd by an interrupt, and waits for all that has its output.
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt)
	defer cancel()
	config := ""
	for i, argument := range arguments {
		if argument == "-f" {
			config = arguments[i+1]
		}
	}
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var servers sync.WaitGroup
	defer servers.Wait()
	servers.Go(func() { behind(ctx, target, config, &servers) })
	defer context.AfterFunc(ctx, func() { _ = target.Close() })()
	defer target.Close()
	folder, err := os.MkdirTemp("", "stand-in-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file, err := grantOf(filepath.Dir(config), target.Addr().(*net.TCPAddr).Port, folder)
	if err != nil {
		return err
	}
	proxy, err := launch(exec.CommandContext(ctx, os.Getenv(proxyAt), "--protocol", "ssh", "--grant-file", file, "--listen", "127.0.0.1:0"))
	if err != nil {
		return err
	}
	defer func() {
		cancel()
		<-proxy.exited
	}()
	address, err := proxy.address()
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	client, err := net.FileConn(os.Stdin)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(conn, client)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, err = io.Copy(client, conn)
	_ = client.Close()
	return err
}

// behind starts the real server for each connection of the proxy.
func behind(ctx context.Context, listener net.Listener, config string, servers *sync.WaitGroup) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		socket, err := conn.(*net.TCPConn).File()
		_ = conn.Close()
		if err != nil {
			return
		}
		server := exec.CommandContext(ctx, os.Getenv(realServer), "-f", config, "-i", "-e")
		server.Stdin, server.Stdout, server.Stderr = socket, socket, os.Stderr
		servers.Go(func() {
			defer socket.Close()
			_ = server.Run()
		})
	}
}

// grantOf lets in whom the suite's sshd lets in, and shows its host key.
func grantOf(suite string, port int, folder string) (string, error) {
	host, err := os.ReadFile(filepath.Join(suite, "id_ecdsa"))
	if err != nil {
		return "", err
	}
	authorized, err := os.ReadFile(filepath.Join(suite, "authorized_keys"))
	if err != nil {
		return "", err
	}
	signer, err := ssh.ParsePrivateKey(host)
	if err != nil {
		return "", err
	}
	account, err := exec.Command("id", "-un").Output()
	if err != nil {
		return "", err
	}
	file := standalone.File{
		State: grant.State{
			HostKey: grant.Secret(host),
			Task: grant.Task{RequestUID: "drivers", Request: "drivers", Namespace: "here", ID: "DRIVERS", Type: "test", Requester: "tester", Target: "scratch",
				ClientKeys: strings.Split(strings.TrimSpace(string(authorized)), "\n")},
			Grant: &grant.Grant{
				PolicyName: "everything",
				Policy: v1alpha1.AccessPolicySpec{
					TaskTypes: []string{"test"}, Targets: []string{"scratch"},
					Grant:   v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{strings.TrimSpace(string(account))}, Unrestricted: true}},
					Session: v1alpha1.SessionPolicy{MaxDurationSeconds: 600, MaxConcurrent: 64},
				},
				SSH: &grant.SSHUpstream{
					Host: "127.0.0.1", Addresses: []string{"127.0.0.1"}, Port: int32(port), PrivateKey: grant.Secret(host),
					HostKeys: []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))},
				},
			},
		},
		Recording: standalone.Recording{Directory: folder},
	}
	content, err := yaml.Marshal(file)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "grant.yaml")
	return path, os.WriteFile(path, content, 0o600)
}
