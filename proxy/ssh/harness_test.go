package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// patience bounds what must happen by itself.
const patience = 15 * time.Second

// target is the OpenSSH server that all tests share, and the key that it takes.
var target struct {
	server *sshtest.Server
	err    error
	key    ssh.Signer
	secret grant.Secret
}

func TestMain(m *testing.M) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	if target.key, err = ssh.NewSignerFromKey(private); err != nil {
		panic(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		panic(err)
	}
	target.secret = grant.Secret(pem.EncodeToMemory(block))
	target.server, target.err = sshtest.Run(sshtest.Options{
		AuthorizedKeys: map[string][]ssh.PublicKey{"deploy": {target.key.PublicKey()}, "audit": {target.key.PublicKey()}},
		Config: []string{"MaxStartups 1000", "MaxSessions 100", "AcceptEnv *", "X11Forwarding yes", "AllowStreamLocalForwarding yes",
			"AllowTcpForwarding yes", "AllowAgentForwarding yes", "XAuthLocation /bin/true", "GatewayPorts clientspecified"},
	})
	code := m.Run()
	if target.server != nil {
		target.server.Close()
	}
	os.Exit(code)
}

func needTarget(t testing.TB) {
	t.Helper()
	if target.err == nil {
		return
	}
	if os.Getenv(sshtest.AllowMissing) == "1" {
		t.Skipf("%s=1: %v", sshtest.AllowMissing, target.err)
	}
	t.Fatal(target.err)
}

// upstream is the shared server, as a grant names it.
func upstream() *grant.SSHUpstream {
	return &grant.SSHUpstream{
		Host: "127.0.0.1", Addresses: []string{"127.0.0.1"}, Port: int32(target.server.Port),
		HostKeys:   []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(target.server.HostKey)))},
		PrivateKey: target.secret,
	}
}

// granting is a policy with this grant.
func granting(g v1alpha1.SSHGrant) v1alpha1.AccessPolicySpec {
	policy := sessiontest.ReadOrders()
	if g.Logins == nil {
		g.Logins = []string{"deploy"}
	}
	policy.Grant = v1alpha1.Grant{SSH: &g}
	policy.Session.MaxConcurrent = 50
	return policy
}

// unrestricted is a policy that lets all pass that is understood.
func unrestricted() v1alpha1.AccessPolicySpec { return granting(v1alpha1.SSHGrant{Unrestricted: true}) }

// bench is an engine on loopback, in front of a target.
type bench struct {
	*sessiontest.Task
	address string
	dialer  *Dialer
}

// serve starts an engine whose task is waiting.
func serve(t *testing.T, change ...func(*Options, *session.Options)) *bench {
	t.Helper()
	b := &bench{dialer: &Dialer{}}
	options := Options{Log: logr.Discard()}
	b.Task = sessiontest.New(t, sessiontest.Waiting, func(o *session.Options) {
		o.Protocol, o.Dial = protocol, b.dialer.Dial
		for _, apply := range change {
			apply(&options, o)
		}
	})
	b.address = listen(t, b.Task.Task, New(options))
	return b
}

func listen(t testing.TB, task *session.Task, engine session.Engine) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		s := &server.Server{Engine: engine, Task: task, Log: logr.Discard()}
		if err := s.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		served.Wait()
	})
	return listener.Addr().String()
}

// grant grants a policy on the shared server.
func (b *bench) grant(policy v1alpha1.AccessPolicySpec) {
	b.Update(sessiontest.GrantedSSH(policy, upstream())(b.Key))
}

// granted is a bench with a policy on the shared server.
func granted(t *testing.T, policy v1alpha1.AccessPolicySpec) *bench {
	t.Helper()
	needTarget(t)
	b := serve(t)
	b.grant(policy)
	return b
}

func signer(t testing.TB, key sessiontest.Key) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// config is of a client that comes with the key.
func config(t testing.TB, key sessiontest.Key) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User: "deploy", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer(t, key))},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience,
	}
}

// connect is a client that is in.
func (b *bench) connect(t testing.TB) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", b.address, config(t, b.Key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// events are what was recorded so far.
func (b *bench) events(t testing.TB) []record.Event {
	t.Helper()
	events, err := b.Recordings.Events("")
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// verdict of the newest operation whose text has these words.
func (b *bench) verdict(t testing.TB, words string) (kind, effect string) {
	t.Helper()
	events := b.events(t)
	number := int64(-1)
	for _, event := range events {
		if event.Operation != nil && strings.Contains(string(event.Operation.Text), words) {
			number, kind, effect = event.Operation.ID, event.Operation.Kind, ""
		}
		if event.Verdict != nil && event.Verdict.Operation == number {
			effect = event.Verdict.Effect
		}
	}
	return kind, effect
}

// await returns when ok does, or fails.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	gomega.NewWithT(t).Eventually(ok, patience, "5ms").Should(gomega.BeTrue(), what)
}

// open lets the target's logins in.
func open(t testing.TB, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
}
