// Package conformance holds the laws that every engine obeys, as tests that an
// engine runs with a driver of its own.
package conformance

import (
	"context"
	"net"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// Driver is one engine with a target and a client of its protocol. Each law gets its
// own.
type Driver interface {
	Engine() session.Engine
	// Dial connects to the driver's target: session.Options.Dial.
	Dial(ctx context.Context, g grant.Grant, attributes map[string]string) (net.Conn, error)
	// Policy under which Operations are what they are called.
	Policy() v1alpha1.AccessPolicySpec
	Operations() Operations
	// Connect speaks with the engine over conn as the owner of the key, to the end of
	// the start-up, for which it may have to wait as long as the task is not granted.
	Connect(t testing.TB, conn net.Conn, key sessiontest.Key) (Client, error)
	// Reached says whether anything of the operation has reached the target.
	Reached(text string) bool
}

// Operations are texts that differ from each other, and that a recording holds as
// they are.
type Operations struct {
	// Allowed by the policy, the first and a second one; Refused by it; NotUnderstood
	// by the engine.
	Allowed, AllowedToo, Refused, NotUnderstood string
}

// Client is one client of the protocol.
type Client interface {
	// Do runs an operation to its end. The error is what the client is told.
	Do(text string) error
	// Closed waits for the connection to be closed by the engine.
	Closed() error
	Close() error
}

// Canceller is a Client that can ask to cancel what it does, as Ctrl-C does. Every
// client of an engine that holds operations is one.
type Canceller interface {
	// Cancel is called while Do runs; Do then ends with an error.
	Cancel() error
}
