package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proxy/session"
)

// Of a client whose window is full the end would not be heard, did nobody hear that it
// makes room.
func TestAClientIsHeardUntilItWasToldOfTheEnd(t *testing.T) {
	t.Parallel()
	client, proxy := net.Pipe()
	leg := &clientLeg{Conn: proxy, left: func(error) {}, over: make(chan struct{})}
	leg.keep.Store(true)
	heard, p := make(chan error, 1), make([]byte, 4)
	read := func() { _, err := io.ReadFull(leg, p); heard <- err }
	go read()
	// As the server does at the session's end.
	if err := proxy.SetReadDeadline(past); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("room")); err != nil {
		t.Fatal(err)
	}
	if err := <-heard; err != nil || string(p) != "room" {
		t.Errorf("%q, %v", p, err)
	}
	go read()
	leg.finish()
	if err := <-heard; err == nil {
		t.Error("it reads when it is over")
	}
	// Before a client is in there is nothing to be told.
	early := &clientLeg{Conn: proxy, left: func(error) {}, over: make(chan struct{})}
	if _, err := early.Read(p); err == nil {
		t.Error("a deadline before authentication is none")
	}
}

func TestLIFE1_NoByteOfTheTargetFollowsTheEnd(t *testing.T) {
	t.Parallel()
	c := &connection{}
	ctx, end := context.WithCancelCause(t.Context())
	c.ctx = ctx
	var out strings.Builder
	if n, err := c.move(&out, strings.NewReader("before"), nil); err != nil || n != 6 {
		t.Fatal(n, err)
	}
	end(session.ErrEnded)
	if n, err := c.move(&out, strings.NewReader("after"), nil); n != 0 || !errors.Is(err, session.ErrEnded) || out.String() != "before" {
		t.Errorf("%d bytes, %v, %q", n, err, out.String())
	}
}
