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
	// Heads of the most recent sessions' recordings, MaxHeads at most; Sealed are the
	// newest segments of those that the manager has signed.
	Heads  []record.Head
	Sealed []SealedHead
	// Lost is what has gone unrecorded, in one line; empty while nothing has.
	Lost string
	// Audit is the newest events, oldest first, MaxAudit at most: one comes again until
	// newer ones displace it. AuditMissed were displaced before any report held them.
	Audit       []AuditEvent
	AuditMissed int64
}

// MaxHeads bounds the heads in a report, MaxAudit its events.
const (
	MaxHeads = 64
	MaxAudit = 64
)

// SealedHead is the newest segment of a session that the manager has signed.
type SealedHead struct {
	Session string
	Segment int
	// Sequence of the segment's last event.
	Sequence int64
	// Hash of the segment, in hex.
	Hash string
	// Key is the signing key's identifier, Signature Ed25519 over the segment's statement.
	Key       string
	Signature []byte
}

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
