// Package credential mints, revokes, and proves absent the credential of one
// task on its target. One folder per protocol holds an issuer.
package credential

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
)

// What an Issuer's errors are about, for errors.Is. Any other is worth a retry.
var (
	// ErrUnreachable: the target does not answer, or is not whom its CA vouches for.
	ErrUnreachable = errors.New("the target is not reachable")
	// ErrAdministrator: the administrator's login is refused, or may too little.
	ErrAdministrator = errors.New("the administrator's credential does not suffice")
	// ErrUnsupported: the target is too old, or not what its protocol says.
	ErrUnsupported = errors.New("the target is not supported")
	// ErrGrant: the grant names what the target does not have or must not give.
	ErrGrant = errors.New("the grant does not fit the target")
)

// Issuer makes and unmakes the credentials of one protocol. Every method is
// idempotent and bounded by its context; errors hold no secret.
type Issuer interface {
	// Name is the credential's name on the target, before it is made: it asks
	// nobody. Whoever tears down looks for this.
	Name(target Target, uid string) v1alpha1.IssuedCredential
	// Login is what a proxy logs in with once Issue has made it; derived or read,
	// never stored. It asks nobody.
	Login(target Target, request Request) (Login, error)
	// Issue makes the task's credential as the request has it, or brings an
	// existing one to that state.
	Issue(ctx context.Context, target Target, request Request) (v1alpha1.IssuedCredential, error)
	// Revoke ends the credential: no new login, live sessions ended, everything
	// that it owns reassigned, then gone.
	Revoke(ctx context.Context, target Target, request Request) error
	// Verify asks the target whether anything is left; it never changes a thing.
	Verify(ctx context.Context, target Target, request Request) (Evidence, error)
	// List names the requests that this installation has credentials for on the
	// target, for the sweeper: by UID.
	List(ctx context.Context, target Target) ([]string, error)
	// Probe looks whether target and administrator's credential work.
	Probe(ctx context.Context, target Target) (Findings, error)
}

// Target is an AccessTarget with its Secret.
type Target struct {
	Name, Namespace string
	Spec            v1alpha1.AccessTargetSpec
	// Addresses that Spec's host resolved to, already checked.
	Addresses []string
	// Admin is the administrator's login from the Secret.
	Admin Admin
}

// Admin is a target's administrator login. Its String hides the secrets.
type Admin struct {
	Username, Password           string
	ClientCertificate, ClientKey []byte
	// SSHPrivateKey is PEM; where it is set, Password has no meaning.
	SSHPrivateKey []byte
	// Database to connect to first; "postgres" by default.
	Database string
}

// String hides the value.
func (Admin) String() string { return "[administrator's credential]" }

// GoString hides the value from %#v.
func (Admin) GoString() string { return "[administrator's credential]" }

// Login is a credential with its secret. It is handed to the task's proxy alone.
type Login struct {
	User                         string
	Password                     grant.Secret
	ClientCertificate, ClientKey grant.Secret
	// PrivateKey of SSH, PEM.
	PrivateKey grant.Secret
}

// Request is the part of a request that a credential depends on.
type Request struct {
	UID        string
	Generation int32
	Grant      v1alpha1.Grant
	// ValidUntil is when the target itself must stop taking the credential.
	ValidUntil time.Time
	// MaxConnections bounds the credential's sessions on the target.
	MaxConnections int32
	// EndedAt is when the task was over: what is valid from a later moment was never
	// issued. Zero while it is not over, and where an orphan's end is not known.
	EndedAt time.Time
	// ExpiresAt is the latest end that the task was ever given: no certificate of it is
	// good for longer. Zero while that is not known.
	ExpiresAt time.Time
}

// Evidence is what a target showed about a credential.
type Evidence struct {
	// Absent says that nothing is left.
	Absent bool
	// Standing says that the credential is the target's own and stays: to wait for
	// its absence would be to wait for ever.
	Standing bool
	// Message is the evidence in one line: "role sp_… absent from pg_roles, 0
	// backends, asked 3 databases".
	Message   string
	CheckedAt time.Time
	// Until is when what is left will have ended by itself, where nothing else ends it:
	// there is nothing to do but to ask again then. Zero otherwise.
	Until time.Time
}

// Findings is what a probe found.
type Findings struct {
	ServerVersion string
	// PublicGrants are rights that everybody has there.
	PublicGrants []string
	// Unsafe is why the target must not be used: "asks no password".
	Unsafe string
}
