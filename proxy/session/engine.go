// Package session is what every engine shares: the one door that an operation
// passes (Admit), the wait for the grant, the way to the target, and the
// recording.
package session

import (
	"context"
	"net"
)

// Engine speaks one wire protocol, and refuses in the client's own words.
type Engine interface {
	// Protocol is the name of the protocol, as in policies: "postgres".
	Protocol() string
	// Serve speaks with one client until it leaves or the context ends. It closes
	// nothing that it was given; the server closes client and upstream.
	Serve(ctx context.Context, client net.Conn, s *Session) error
}
