package accesstarget

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/credential"
	sshissuer "github.com/sallyport/sallyport/internal/credential/ssh"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/target"
)

// bastion is a prober, and a real OpenSSH that stands on loopback and answers for 10.0.0.22.
type bastion struct {
	*apitest.Server
	t         *testing.T
	sshd      *sshtest.Server
	namespace string
	prober    *Reconciler
}

func startBastion(t *testing.T) *bastion {
	t.Helper()
	server := apitest.Start(t)
	b := &bastion{Server: server, t: t, sshd: sshtest.Start(t, sshtest.Options{}), namespace: server.Namespace(t.Context(), t)}
	b.must(client.IgnoreAlreadyExists(b.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.TargetNamespace}})))
	issuer, err := sshissuer.New(sshissuer.Options{
		Installation: "0a1b2c3d", Master: []byte(strings.Repeat("m", 32)), Now: time.Now,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, b.sshd.Address())
		},
	})
	b.must(err)
	b.prober = &Reconciler{
		Client: b.Client, Targets: &target.Resolver{Secrets: b.Client, Lookup: everywhere(netip.MustParseAddr("10.0.0.22"))},
		Issuers: credential.Issuers{{Protocol: v1alpha1.ProtocolSSH, Type: v1alpha1.CredentialCertificate}: issuer},
		Events:  events.NewFakeRecorder(100), Now: time.Now,
	}
	return b
}

func (b *bastion) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bastion) create(name string) *v1alpha1.AccessTarget {
	b.t.Helper()
	object := &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name},
		Spec: v1alpha1.AccessTargetSpec{SSH: &v1alpha1.SSHTarget{
			Host: "bastion.example.com", Port: 22, Logins: []string{"deploy"}, Credential: v1alpha1.CredentialCertificate,
			HostKeys: []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(b.sshd.HostKey)))}, CertificateSeconds: 60,
		}},
	}
	b.must(b.Client.Create(b.t.Context(), object))
	return object
}

// consent makes the target's Secret.
func (b *bastion) consent(object *v1alpha1.AccessTarget) {
	b.t.Helper()
	secret := secretNamed(v1alpha1.TargetNamespace, b.namespace+"."+object.Name)
	secret.Data = map[string][]byte{
		"host": []byte("bastion.example.com"), "port": []byte("22"), "host-keys": []byte(object.Spec.SSH.HostKeys[0] + " root@bastion\n"),
	}
	b.must(b.Client.Create(b.t.Context(), secret))
}

// probe reconciles, and wants the target's state to be as given.
func (b *bastion) probe(object *v1alpha1.AccessTarget, reason string) v1alpha1.AccessTargetStatus {
	b.t.Helper()
	_, err := b.prober.Reconcile(b.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)})
	b.must(err)
	b.must(b.Client.Get(b.t.Context(), client.ObjectKeyFromObject(object), object))
	if ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady); ready.Reason != reason {
		b.t.Fatalf("%s: %s, want %s", ready.Reason, ready.Message, reason)
	}
	return object.Status
}

func TestSSH_AnSSHTargetSaysWhoseCertificatesItMustTrustBeforeItDoes(t *testing.T) {
	t.Parallel()
	b := startBastion(t)
	object := b.create("bastion")
	line := b.probe(object, v1alpha1.ReasonNoSecret).CertificateAuthority
	b.consent(object)
	if said := b.probe(object, reasonRefused).CertificateAuthority; said != line {
		t.Errorf("first %q, then %q", line, said)
	}
	authority, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || !strings.Contains(comment, b.namespace+"/bastion") {
		t.Fatalf("%q is no line of TrustedUserCAKeys: %v", line, err)
	}
	b.must(b.sshd.SetCAKeys(authority))
	status := b.probe(object, v1alpha1.ReasonReady)
	if status.Protocol != "ssh" || status.Credential != v1alpha1.CredentialCertificate || !strings.Contains(status.ServerVersion, "OpenSSH") ||
		len(status.Addresses) != 1 || status.Addresses[0] != "10.0.0.22" {
		t.Errorf("%+v", status)
	}
}

func TestSSH_EachTargetHasAnAuthorityOfItsOwn(t *testing.T) {
	t.Parallel()
	b := startBastion(t)
	bastion, other := b.create("bastion"), b.create("other")
	b.consent(bastion)
	b.consent(other)
	line := b.probe(bastion, reasonRefused).CertificateAuthority
	authority, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	b.must(err)
	b.must(b.sshd.SetCAKeys(authority))
	b.probe(bastion, v1alpha1.ReasonReady)
	// The same server, under another name: whom the one may send there, the other may not.
	b.probe(other, reasonRefused)
}

func TestSSH_AServerWithAnotherHostKeyIsUnreachableAndSaysSo(t *testing.T) {
	t.Parallel()
	b := startBastion(t)
	object := b.create("bastion")
	b.consent(object)
	impostor := sshtest.Start(t, sshtest.Options{})
	b.sshd = impostor
	if _, err := b.prober.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}); err == nil {
		t.Error("nothing tries again")
	}
	b.must(b.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	if ready.Reason != v1alpha1.ReasonUnreachable || !strings.Contains(ready.Message, ssh.FingerprintSHA256(impostor.HostKey)) {
		t.Errorf("%s: %s", ready.Reason, ready.Message)
	}
}
