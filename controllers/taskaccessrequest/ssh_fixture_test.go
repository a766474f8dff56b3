package taskaccessrequest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	sshissuer "github.com/sallyport/sallyport/internal/credential/ssh"
	"github.com/sallyport/sallyport/internal/credential/static"
	"github.com/sallyport/sallyport/internal/keys"
	"github.com/sallyport/sallyport/internal/manifest"
)

const targetHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

var generated = sync.OnceValues(func() (*keys.Root, error) { return keys.Generate(time.Now()) })

// rootKeys are the same for all tests.
func rootKeys(t *testing.T) *keys.Root {
	t.Helper()
	root, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// certifying is the issuer of certificates, and a target that refuses them from their end on.
type certifying struct {
	*sshissuer.Issuer
	now func() time.Time
	// revoked is set once the target has a list of revoked certificates.
	revoked *atomic.Bool
}

func (a certifying) Verify(_ context.Context, target credential.Target, request credential.Request) (credential.Evidence, error) {
	end := request.EndedAt.Add(time.Duration(target.Spec.SSH.CertificateSeconds) * time.Second)
	if request.ExpiresAt.Before(end) {
		end = request.ExpiresAt
	}
	if now := a.now(); now.Before(end) && !a.revoked.Load() {
		return credential.Evidence{Message: "certificates are still good", Until: end, CheckedAt: now}, nil
	}
	return credential.Evidence{Absent: true, Message: "certificates ran out", CheckedAt: a.now()}, nil
}

// consents is a resolver whose Secrets can be taken away.
type consents struct {
	resolved
	err error
}

func (c *consents) Resolve(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error) {
	if c.err != nil {
		return credential.Target{}, c.err
	}
	answer, err := c.resolved.Resolve(ctx, target)
	answer.Admin = credential.Admin{Username: "deploy", SSHPrivateKey: []byte("standing key")}
	return answer, err
}

func (c *consents) Consent(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error) {
	return c.Resolve(ctx, target)
}

// newSSHWorld is a world whose request is for an SSH server.
func newSSHWorld(t *testing.T, kind v1alpha1.CredentialType) *world {
	t.Helper()
	w := newWorld(t)
	issuer, err := sshissuer.New(sshissuer.Options{
		Installation: "0a1b2c3d", Master: []byte(strings.Repeat("m", 32)), Now: func() time.Time { return w.r.Now() }, Dial: (&net.Dialer{}).DialContext,
	})
	w.must(err)
	w.issuers[certificates] = certifying{issuer, issuer.Now, &atomic.Bool{}}
	w.issuers[credential.Kind{Protocol: v1alpha1.ProtocolSSH, Type: v1alpha1.CredentialStatic}] = static.New(issuer.Now, issuer)
	w.r = w.reconciler(w.admin)
	w.r.Targets = &consents{}
	namespace := w.target.Namespace
	w.target = &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
		Spec: v1alpha1.AccessTargetSpec{SSH: &v1alpha1.SSHTarget{
			Host: "web.example.org", Port: 22, HostKeys: []string{targetHostKey}, Logins: []string{"deploy", "audit"},
			Credential: kind, CertificateSeconds: 180,
		}},
	}
	w.must(w.admin.Create(t.Context(), w.target))
	w.target.Status.Addresses = []string{"192.0.2.22"}
	w.target.Status.Conditions = ready(w.target.Generation)
	w.must(w.admin.Status().Update(t.Context(), w.target))
	w.policy = &v1alpha1.AccessPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-deploy"},
		Spec: v1alpha1.AccessPolicySpec{
			TaskTypes: []string{"deploy"}, Targets: []string{"web"}, Isolation: v1alpha1.IsolationReported,
			Grant: v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{
				Logins: []string{"deploy"}, Commands: []v1alpha1.CommandGrant{{Argv: []string{"systemctl", "restart", "web"}}},
			}},
			Review: v1alpha1.ReviewPolicy{Requirements: []v1alpha1.ReviewRequirement{{Name: "ops", Groups: []string{"ops"}, Count: 1}}},
		},
	}
	w.must(w.admin.Create(t.Context(), w.policy))
	w.policy.Status.Conditions = ready(w.policy.Generation)
	w.must(w.admin.Status().Update(t.Context(), w.policy))
	w.request = &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-7"},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "dora-" + namespace, Groups: []string{"system:masters"}},
			Task:      v1alpha1.Task{ID: "WEB-7", Type: "deploy", Reviewer: "carol"},
			Target:    "web", Reason: "restart", DurationSeconds: 600, State: v1alpha1.StateOpen,
		},
	}
	w.must(w.admin.Create(t.Context(), w.request))
	return w
}

// proxyPod is the task's pod.
func (w *world) proxyPod() *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{}
	w.must(w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(string(w.request.UID))}, pod))
	return pod
}

// runs is the pod on its node.
func (w *world) runs() {
	w.t.Helper()
	pod := w.proxyPod()
	pod.Status.PodIP, pod.Status.PodIPs = "10.1.2.3", []corev1.PodIP{{IP: "10.1.2.3"}}
	pod.Status.HostIP, pod.Status.HostIPs = "192.0.2.200", []corev1.HostIP{{IP: "192.0.2.200"}}
	w.must(w.admin.Status().Update(w.t.Context(), pod))
}

// certify makes a certificate for the proxy.
func (w *world) certify() {
	w.t.Helper()
	w.runs()
	_, err := w.provide().Certify(w.t.Context(), string(w.request.UID), newKey(w.t), "deploy")
	w.must(err)
}

func newKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
