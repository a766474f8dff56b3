package drivers

import (
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// tunnel takes plaintext for the proxy, and carries it in TLS that proves the
// client's key, as `kubectl access connect` does with its tunnel around it. Suites
// whose mock servers know no TLS connect here.
func tunnel(t testing.TB, p place) place {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(p.certificate, p.key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{"postgresql"},
		InsecureSkipVerify: true, // Its own process, on loopback; the tests of TLS verify.
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort(p.host, strconv.Itoa(p.port))
	var carried sync.WaitGroup
	carried.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			carried.Go(func() { carry(client, address, config) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		carried.Wait()
	})
	p.port = listener.Addr().(*net.TCPAddr).Port
	return p
}

// carry copies both ways until both have ended.
func carry(client net.Conn, address string, config *tls.Config) {
	defer func() { _ = client.Close() }()
	server, err := tls.Dial("tcp", address, config)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.CloseWrite()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	up.Wait()
}
