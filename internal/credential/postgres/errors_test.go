package postgres

import (
	"errors"
	"net"
	"testing"

	"github.com/sallyport/sallyport/internal/credential"
)

func TestTheSameFailureReadsTheSameFromWhateverPortWeCame(t *testing.T) {
	t.Parallel()
	reset := func(port int) string {
		local := &net.TCPAddr{IP: net.IPv6loopback, Port: port}
		remote := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5432}
		return scrub(credential.Target{}, "connect", &net.OpError{Op: "read", Net: "tcp", Source: local, Addr: remote, Err: errors.New("reset")}).Error()
	}
	if got := reset(40001); got != reset(40002) || got != "connect: read tcp 192.0.2.1:5432: reset" {
		t.Errorf("says %q, then %q", got, reset(40002))
	}
}
