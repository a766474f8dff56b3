package ssh

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// deaf is a client that stops to read.
type deaf struct {
	net.Conn
	closed atomic.Bool
	over   chan struct{}
}

func (d *deaf) Read(p []byte) (int, error) {
	if d.closed.Load() {
		<-d.over
	}
	return d.Conn.Read(p)
}

// A client whose side has ended has left, even where it takes no more bytes.
func TestAClientThatLeavesWithoutReadingEndsItsSession(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	address, err := net.ResolveTCPAddr("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.DialTCP("tcp", nil, address)
	if err == nil {
		err = raw.SetReadBuffer(4096)
	}
	if err != nil {
		t.Fatal(err)
	}
	conn := &deaf{Conn: raw, over: make(chan struct{})}
	t.Cleanup(func() { close(conn.over); _ = raw.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, b.address, config(t, b.Key))
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(c, channels, requests)
	for range 8 {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start("sleep 0.2; exec cat /dev/zero"); err != nil {
			t.Fatal(err)
		}
	}
	conn.closed.Store(true)
	// Until the socket's buffers are full, which nothing tells.
	<-time.After(time.Second)
	_ = raw.CloseWrite()
	await(t, "the session's end", func() bool {
		for _, event := range b.events(t) {
			if event.End != nil {
				return true
			}
		}
		return false
	})
}
