package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/internal/cli/tunnel/tunneltest"
)

const path = "/api/v1/namespaces/sallyport-proxies/pods/sp-1/portforward"

func echo(stream io.ReadWriter) error {
	_, err := io.Copy(stream, stream)
	return err
}

// open starts a kubelet and a tunnel to it; reports are collected.
func open(t *testing.T, pod func(io.ReadWriter) error) (*tunneltest.Kubelet, *Tunnel, <-chan error) {
	t.Helper()
	k := &tunneltest.Kubelet{T: t, Path: path, Pod: pod}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	dialer, err := Dialer(&rest.Config{Host: server.URL}, "sallyport-proxies", "sp-1")
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan error, 16)
	tunnel, err := Open(dialer, 5432, 0, func(err error) { reports <- err })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- tunnel.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the tunnel does not end")
		}
	})
	return k, tunnel, reports
}

func connect(t *testing.T, tunnel *Tunnel) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", tunnel.Port()))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// ask writes, says that this was all, and reads to the end.
func ask(t *testing.T, conn *net.TCPConn, text string) string {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestEachLocalConnectionHasItsOwnStreams(t *testing.T) {
	t.Parallel()
	k, tunnel, _ := open(t, echo)
	first, second := connect(t, tunnel), connect(t, tunnel)
	long := strings.Repeat("0123456789", 100_000)
	if got := ask(t, second, long); got != long {
		t.Errorf("%d bytes came back of %d", len(got), len(long))
	}
	if got := ask(t, first, "select 1"); got != "select 1" {
		t.Errorf("got %q", got)
	}
	if connections, ports := k.Seen(); connections != 1 || strings.Join(ports, " ") != "5432 5432" {
		t.Errorf("%d connections to the API server, ports %q", connections, ports)
	}
}

func TestALostConnectionEndsItsClientsAndTheNextOneReconnects(t *testing.T) {
	t.Parallel()
	k, tunnel, _ := open(t, echo)
	victim := connect(t, tunnel)
	if _, err := io.WriteString(victim, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(victim, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	k.Lose()
	if rest, err := io.ReadAll(victim); len(rest) != 0 {
		t.Errorf("%q %v", rest, err)
	}
	if got := ask(t, connect(t, tunnel), "again"); got != "again" {
		t.Errorf("got %q", got)
	}
}

func TestWhatGoesWrongInThePodIsReported(t *testing.T) {
	t.Parallel()
	_, tunnel, reports := open(t, func(io.ReadWriter) error { return errors.New("connection refused") })
	if got := ask(t, connect(t, tunnel), ""); got != "" {
		t.Errorf("got %q", got)
	}
	select {
	case err := <-reports:
		if err.Error() != "port-forward: connection refused" {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was reported")
	}
}

func TestATunnelListensOnLoopbackAloneAndSaysWhatItMayNot(t *testing.T) {
	t.Parallel()
	_, tunnel, _ := open(t, echo)
	if host, _, _ := net.SplitHostPort(tunnel.listener.Addr().String()); host != "127.0.0.1" {
		t.Errorf("listens on %s", host)
	}
	server := httptest.NewServer(&tunneltest.Kubelet{T: t, Path: path, Pod: echo})
	t.Cleanup(server.Close)
	dialer, err := Dialer(&rest.Config{Host: server.URL}, "sallyport-proxies", "another-pod")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dialer, 5432, 0, func(error) {}); err == nil {
		t.Error("reached a pod that is not ours")
	}
}
