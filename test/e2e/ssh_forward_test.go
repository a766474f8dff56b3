package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestSSH3_ConnectionsAreForwardedWhereTheGrantSaysAndNowhereElse(t *testing.T) {
	t.Parallel()
	cluster := harness.Open(t)
	// The cluster's network namespace belongs to all tests.
	listen := int32(20000 + rand.IntN(10000))
	d, server := cluster.ServerDomain(t, func(p *v1alpha1.AccessPolicySpec) {
		ssh := p.Grant.SSH
		ssh.Forwards = []v1alpha1.ForwardGrant{{Host: "*.targets.test", Ports: []int32{22}}}
		ssh.Listeners = []v1alpha1.ForwardGrant{{Host: "localhost", Ports: []int32{listen}}}
		ssh.Commands = harness.Commands("true")
	})
	task := d.Granted(t, d.Bob, "web-1", harness.TypeDeploy)
	tools := task.Tools(t)
	postgres := cluster.Postgres

	local, other, socks := freePort(t), freePort(t), freePort(t)
	forwarding := tools.Start(t, "ssh", "-N",
		"-L", fmt.Sprintf("127.0.0.1:%d:%s:22", local, server.Name),
		"-L", fmt.Sprintf("127.0.0.1:%d:%s:%d", other, postgres.Name, postgres.Port),
		"-D", fmt.Sprintf("127.0.0.1:%d", socks), tools.Host)
	dialled(t, local, "SSH-2.0-OpenSSH")

	// By -L to a port that is not granted: the connection is taken here, and closed.
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", other))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a connection that is not granted was opened")
	}
	_ = conn.Close()
	forwarding.Err.Await(t, 0, "sallyport: refused by policy", harness.Patience)

	// By -D, to both.
	if answer := bySOCKS(t, socks, server.Name, 22, len("SSH-2.0-")); answer != "SSH-2.0-" {
		t.Errorf("by SOCKS to what is granted: %q", answer)
	}
	if answer := bySOCKS(t, socks, postgres.Name, int(postgres.Port), 1); answer != "" {
		t.Errorf("by SOCKS to what is not granted: %q", answer)
	}

	// By -R, a port that is granted, and one that is not.
	echo := echoing(t)
	reverse := tools.Start(t, "ssh", "-v", "-N", "-o", "ExitOnForwardFailure=yes", "-R", fmt.Sprintf("localhost:%d:%s", listen, echo), tools.Host)
	reverse.Err.Await(t, 0, "remote forward success", harness.Patience)
	said := server.Direct(t, d.Dave).RunWith(t, "", "ssh", "deploy@direct",
		fmt.Sprintf("exec 3<>/dev/tcp/localhost/%d; echo hello >&3; head -n 1 <&3", listen))
	if said.Out != "hello\n" {
		t.Errorf("by the server's port to this machine: %s", said)
	}
	refused := tools.Run(t, "ssh", "-N", "-o", "ExitOnForwardFailure=yes", "-R", fmt.Sprintf("localhost:%d:%s", listen+1, echo), tools.Host)
	if refused.Code != 255 || !strings.Contains(refused.Err, "remote port forwarding failed") {
		t.Errorf("a port that is not granted: %d: %s", refused.Code, refused)
	}

	// A task without the grant has none of it, nor the agent, nor the display.
	says(t, tools.Do(t, "ssh", "-A", tools.Host, "true"), "")
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	says(t, task.Replay(t), "direct-tcpip", server.Name, postgres.Name, "tcpip-forward", "REFUSED")
}

// bySOCKS connects through a SOCKS5 proxy (RFC 1928) of this machine, and reads the first
// bytes of the answer; none where the proxy does not connect.
func bySOCKS(t *testing.T, proxy int, host string, port, bytes int) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", proxy))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	request := append([]byte{5, 1, 0, 5, 1, 0, 3, byte(len(host))}, host...)
	if _, err := conn.Write(append(request, byte(port>>8), byte(port))); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 2+10)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[3] != 0 {
		return ""
	}
	first := make([]byte, bytes)
	n, _ := io.ReadFull(conn, first)
	return string(first[:n])
}

// echoing is the address of a server on this machine that answers what it hears.
func echoing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}
