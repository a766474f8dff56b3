// Package sessiontest gives tests a task with recordings in memory.
package sessiontest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
)

// Names in the states that this package makes.
const (
	Requester  = "bob"
	RequestUID = "6f1f7a52-9a0f-4b57-9d0e-0d7d2a4f8b11"
	Token      = grant.Secret("bobs-token-for-this-request")
	ServerName = "proxy.test"
)

// Task is a session.Task with recordings in memory, closed when the test ends.
type Task struct {
	*session.Task
	Recordings *Recordings
	// Reviewers answer for held operations.
	Reviewers *Reviewers
	// Key is the client's; the states of Waiting and Granted name it.
	Key Key
	// Server is the proxy's certificate, for ServerName and loopback; it is its own CA.
	Server tls.Certificate
}

// New starts a task in the state given, with protocol "postgres" and a dialer that
// fails; change sets other options. Token authenticates Requester.
func New(t testing.TB, state func(Key) grant.State, change ...func(*session.Options)) *Task {
	t.Helper()
	key, server := NewKey(t, Requester), NewKey(t, ServerName)
	recordings, reviewers := NewRecordings(), newReviewers()
	options := session.Options{
		Protocol:    "postgres",
		Recorder:    recordings,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &server.Certificate, nil },
		Dial: func(context.Context, grant.Grant, map[string]string) (net.Conn, error) {
			return nil, net.UnknownNetworkError("this test has no target")
		},
		Authenticate: func(_ context.Context, token grant.Secret) (string, error) {
			if token != Token {
				return "", session.ErrNotAuthenticated
			}
			return Requester, nil
		},
		Hold: reviewers.Hold,
		Now:  time.Now, Log: logr.Discard(),
	}
	for _, apply := range change {
		apply(&options)
	}
	task, err := session.NewTask(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Sessions that a test leaves open have nobody to wait for.
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = task.Close(ended)
	})
	if state != nil {
		task.Update(state(key))
	}
	return &Task{Task: task, Recordings: recordings, Reviewers: reviewers, Key: key, Server: server.Certificate}
}

// Waiting is a task that is not granted yet.
func Waiting(key Key) grant.State {
	return grant.State{
		Phase: grant.Waiting,
		Task: grant.Task{
			RequestUID: RequestUID, Request: "pay-1423", Namespace: "team-payments", ID: "PAY-1423",
			Type: "read", Requester: Requester, Target: "orders", ClientKeys: []string{key.Line},
		},
		Wait:    "waiting for approval: kubectl approve pay-1423",
		HostKey: hostKey(),
	}
}

// hostKey is the one that every state has.
var hostKey = sync.OnceValue(func() grant.Secret {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		panic(err)
	}
	return grant.Secret(pem.EncodeToMemory(block))
})

// GrantedSSH is a task on an SSH server with a policy, and an hour of time.
func GrantedSSH(policy v1alpha1.AccessPolicySpec, upstream *grant.SSHUpstream) func(Key) grant.State {
	return func(key Key) grant.State {
		state := Granted(policy, nil)(key)
		state.Grant.SSH = upstream
		return state
	}
}

// Granted is a task with a policy, and an hour of time. upstream may be nil.
func Granted(policy v1alpha1.AccessPolicySpec, upstream *grant.PostgresUpstream) func(Key) grant.State {
	return func(key Key) grant.State {
		state := Waiting(key)
		state.Phase, state.Wait = grant.Granted, ""
		state.Grant = &grant.Grant{
			PolicyName: "orders-read", Policy: policy,
			Deadline: time.Now().Add(time.Hour), Postgres: upstream,
		}
		return state
	}
}

// Holding is a policy with a rule look-first of this effect on every operation.
func Holding(policy v1alpha1.AccessPolicySpec, effect v1alpha1.Effect) v1alpha1.AccessPolicySpec {
	policy.Rules = append(policy.Rules, v1alpha1.Rule{Name: "look-first", When: "true", Effect: effect, Message: "two pairs of eyes"})
	policy.Hold.Requirements = []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}}
	return policy
}

// Ended is a task that is over.
func Ended(key Key) grant.State {
	state := Waiting(key)
	state.Phase, state.Wait, state.Reason = grant.Ended, "", "closed by alice"
	return state
}

// ReadOrders is a policy that lets a task read public.orders in database orders.
func ReadOrders() v1alpha1.AccessPolicySpec {
	return v1alpha1.AccessPolicySpec{
		TaskTypes: []string{"read"}, Targets: []string{"orders"},
		Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
			Database: "orders",
			Relations: []v1alpha1.RelationGrant{{
				Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect},
			}},
		}},
		Review: v1alpha1.ReviewPolicy{
			AutoApprove:  "true",
			Requirements: []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}},
		},
		Session: v1alpha1.SessionPolicy{MaxDurationSeconds: 3600, MaxConcurrent: 4, ControlLossSeconds: 60},
		Recording: v1alpha1.RecordingPolicy{
			Durability: v1alpha1.DurabilityProcess,
		},
		Isolation: v1alpha1.IsolationReported,
	}
}

// Begin is a session of the requester that has begun, closed when the test ends.
func (task *Task) Begin(t testing.TB) *session.Session {
	t.Helper()
	s := task.NewSession(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000})
	t.Cleanup(func() { _ = s.Close(nil) })
	if err := s.AuthenticateKey(t.Context(), task.Key.Public()); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(t.Context(), map[string]string{"database": "orders", "user": Requester}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Key is a key pair with a self-signed certificate.
type Key struct {
	Certificate tls.Certificate
	// Line is the public key in authorized_keys form.
	Line string
}

// Public is the public key.
func (k Key) Public() crypto.PublicKey { return k.Certificate.Leaf.PublicKey }

// NewKey makes an ECDSA key, and a certificate for the name and loopback.
func NewKey(t testing.TB, name string) Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return Key{
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf},
		Line:        string(ssh.MarshalAuthorizedKey(public)[:len(ssh.MarshalAuthorizedKey(public))-1]),
	}
}
