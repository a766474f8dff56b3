// Package control is the channel between the manager and the proxies: the gRPC
// contract in controlpb, the manager's side in server, the proxy's in client. This
// package holds what both sides share.
package control

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
)

// Names that the contract fixes.
const (
	// Audience of the projected token with which a proxy proves itself to the
	// manager; the API server refuses it.
	Audience = "sallyport-control"
	// ServerName is the name in the manager's certificate.
	ServerName = "sallyport-control.sallyport-system.svc"
)

// ClientAudience is the audience of a token with which a client proves who it is to
// the proxy of one request; useless for any other.
func ClientAudience(requestUID string) string { return "sallyport/" + requestUID }

// Report is what a proxy tells of itself. A newer one replaces it whole; everything
// in it is the proxy's word alone.
type Report struct {
	// Port that it listens on.
	Port int32
	// Ready says that it listens, with a certificate.
	Ready bool
	// Isolated says that it tried to reach the API server and could not; Isolation
	// is what it saw, in one line.
	Isolated  bool
	Isolation string
	// Active and Total count sessions, Allowed and Refused operations.
	Active, Total    int32
	Allowed, Refused int64
	// Heads of the most recent sessions' chains, MaxHeads at most.
	Heads []record.Head
}

// MaxHeads bounds the heads in a report.
const MaxHeads = 64

// User is whom a client's token belongs to.
type User struct {
	Username, UID string
	Groups        []string
}

// Source is where a proxy learns of its task: the manager (package client), or a
// file.
type Source interface {
	// Run hands every new state to update, in order, until the task has ended (nil)
	// or ctx has. It returns after the update for grant.Ended has: what was reported
	// until then still arrives.
	Run(ctx context.Context, update func(grant.State)) error
	// Report hands over the newest report; it never blocks, and a newer one
	// overtakes an older one.
	Report(report Report)
	// Authenticate says whose token it is, if it is one for this task. The caller
	// compares the user with the requester.
	Authenticate(ctx context.Context, token grant.Secret) (User, error)
	// Certificate is the task's server certificate, renewed while Run runs; an error
	// until the first has arrived. It fits tls.Config.GetCertificate.
	Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// LastContact is the newest moment, by this side's clock, of which the state is
	// known to have been confirmed; zero before the first. Sessions end when it is
	// older than the policy's controlLossSeconds.
	LastContact() time.Time
}

// ErrNoCertificate is a proxy that has not reached the manager yet.
var ErrNoCertificate = errors.New("no certificate yet: the manager has not been reached")

// ClientTokenKey is the metadata key that carries a client's token.
const ClientTokenKey = "sallyport-client-token"
