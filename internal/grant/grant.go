// Package grant is what a proxy is told: for whom and what it stands, what it
// waits for, and, once approved, what it may do and with which credential. The
// control channel carries it, and --grant-file holds it as YAML. Types only.
package grant

import (
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Phase of a task as its proxy sees it.
type Phase string

// The phases, in order; a proxy never goes back.
const (
	Waiting Phase = "Waiting"
	Granted Phase = "Granted"
	Ended   Phase = "Ended"
)

// State is everything that a proxy knows of its task. A newer one replaces it whole.
type State struct {
	Phase Phase `json:"phase"`
	Task  Task  `json:"task"`
	// Wait says, while Waiting, what for and how to get on, in one line.
	Wait string `json:"wait,omitempty"`
	// Grant is set while Granted, and only then.
	Grant *Grant `json:"grant,omitempty"`
	// Reason says, once Ended, why: "closed by alice", "expired", "policy changed".
	Reason string `json:"reason,omitempty"`
	// Recording is set in every phase: a session may begin before the grant.
	Recording Recording `json:"recording,omitzero"`
	// HostKey is the private key (PEM, as ssh.ParsePrivateKey takes it) that the proxy of an SSH target shows
	// its clients, in every phase: it is the task's, and outlives the proxy.
	HostKey Secret `json:"hostKey,omitempty"`
}

// Recording is how the sessions are recorded. The zero value is a volume, durability
// Process, required, in the clear.
type Recording struct {
	// Store is what kind of store the recordings go to.
	Store StoreKind `json:"store,omitempty"`
	// Durability is what a record has survived before its operation is forwarded.
	Durability v1alpha1.Durability `json:"durability,omitempty"`
	// BestEffort lets sessions go on where recording fails.
	BestEffort bool `json:"bestEffort,omitempty"`
	// Recipients are age public keys ("age1…") that the recordings are encrypted to.
	Recipients []string `json:"recipients,omitempty"`
}

// StoreKind is a kind of store.
type StoreKind string

// The kinds of stores. Empty is StoreVolume.
const (
	// StoreVolume is a directory that the proxy mounts.
	StoreVolume StoreKind = "Volume"
	// StoreBucket is an object store, written to by places that the manager signs.
	StoreBucket StoreKind = "Bucket"
)

// Task names the request and who may connect.
type Task struct {
	RequestUID string   `json:"requestUID"`
	Request    string   `json:"request"`
	Namespace  string   `json:"namespace"`
	ID         string   `json:"id"`
	Type       string   `json:"type"`
	URL        string   `json:"url,omitempty"`
	Reviewer   string   `json:"reviewer,omitempty"`
	Requester  string   `json:"requester"`
	Groups     []string `json:"groups,omitempty"`
	Target     string   `json:"target"`
	// ClientKeys are authorized_keys lines; a client that proves one is the requester.
	ClientKeys []string `json:"clientKeys,omitempty"`
}

// Grant is what the task may do, until when, and with which credential.
type Grant struct {
	// PolicyName and PolicyDigest name the policy that Policy is a snapshot of.
	PolicyName   string `json:"policyName"`
	PolicyDigest string `json:"policyDigest,omitempty"`
	// Policy is the snapshot, its grant already narrowed by the request.
	Policy v1alpha1.AccessPolicySpec `json:"policy"`
	// Reviewed is the policy's own grant, where Policy has a narrowed one: with it,
	// recordings show the text that PolicyDigest is of.
	Reviewed *v1alpha1.Grant `json:"reviewed,omitempty"`
	// Review is the ApprovalReview that approved it, and Outcome the digest of what came
	// of that: digest.Review.
	Review  string `json:"review,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	// Deadline ends every session.
	Deadline time.Time `json:"deadline"`
	// Postgres is the upstream, for that protocol.
	Postgres *PostgresUpstream `json:"postgres,omitempty"`
	// SSH is the upstream, for that protocol.
	SSH *SSHUpstream `json:"ssh,omitempty"`
}

// SSHUpstream is an SSH server and how the task logs in there: with a certificate that
// the manager makes for the proxy's own key, or, where PrivateKey or Password is set,
// with a standing one.
type SSHUpstream struct {
	// Host is the name that a host certificate must have; Addresses are where to dial,
	// in order, without a resolver. Port in host byte order.
	Host      string   `json:"host"`
	Addresses []string `json:"addresses"`
	Port      int32    `json:"port"`
	// HostKeys and HostAuthorities as in the AccessTarget.
	HostKeys        []string `json:"hostKeys,omitempty"`
	HostAuthorities []string `json:"hostAuthorities,omitempty"`
	// PrivateKey (OpenSSH's PEM) or Password of a Static credential.
	PrivateKey Secret `json:"privateKey,omitempty"`
	Password   Secret `json:"password,omitempty"`
}

// PostgresUpstream is the target and the task's own login on it.
type PostgresUpstream struct {
	// Host is the name to verify; Addresses are where to dial, in order, without a
	// resolver. Port in host byte order.
	Host      string   `json:"host"`
	Addresses []string `json:"addresses"`
	Port      int32    `json:"port"`
	// TLSMode and CABundle (PEM) as in the AccessTarget.
	TLSMode  v1alpha1.PostgresTLSMode `json:"tlsMode"`
	CABundle string                   `json:"caBundle,omitempty"`
	Database string                   `json:"database"`
	// User and one of Password or ClientCertificate with ClientKey (PEM).
	User              string `json:"user"`
	Password          Secret `json:"password,omitempty"`
	ClientCertificate string `json:"clientCertificate,omitempty"`
	ClientKey         Secret `json:"clientKey,omitempty"`
}

// Secret is a string that no format verb, log or error prints.
type Secret string

// String hides the value.
func (Secret) String() string { return "[secret]" }

// GoString hides the value from %#v.
func (Secret) GoString() string { return "[secret]" }

// Reveal returns the value, for the one place that sends it.
func (s Secret) Reveal() string { return string(s) }
