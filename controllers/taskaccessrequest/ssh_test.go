package taskaccessrequest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/target"
)

func TestAnSSHRequestGoesFromApplyToActive(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.settle()
	w.expect(v1alpha1.ReasonAwaitingReview)
	_, public, err := rootKeys(t).HostKey(string(w.request.UID))
	w.must(err)
	name := "tar-" + string(w.request.UID)
	if diff := cmp.Diff(&v1alpha1.Endpoint{
		Namespace: v1alpha1.ProxyNamespace, Pod: name, Service: name, Port: 2222,
		ServerName: string(w.request.UID) + ".task.sallyport.internal", HostKey: public, Logins: []string{"deploy"},
	}, w.request.Status.Endpoint); diff != "" {
		t.Error(diff)
	}
	pod := w.proxyPod()
	container := pod.Spec.Containers[0]
	if !slices.Contains(container.Args, "--protocol=ssh") || !slices.Contains(container.Args, "--listen=:2222") ||
		container.Ports[0].Name != "ssh" || container.Ports[0].ContainerPort != 2222 {
		t.Errorf("args %q, ports %+v", container.Args, container.Ports)
	}
	policy := &networkingv1.NetworkPolicy{}
	w.must(w.admin.Get(t.Context(), client.ObjectKeyFromObject(pod), policy))
	egress := policy.Spec.Egress[0]
	if egress.To[0].IPBlock.CIDR != "192.0.2.22/32" || egress.Ports[0].Port.IntVal != 22 || policy.Spec.Ingress[0].Ports[0].Port.IntVal != 2222 {
		t.Errorf("%+v", policy.Spec)
	}
	w.decide(v1alpha1.OutcomeApproved)
	w.settle()
	w.expect(v1alpha1.ReasonActive)
	status := w.request.Status
	if message := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).Message; !strings.Contains(message, "kubectl access ssh web-7") {
		t.Error(message)
	}
	if status.Credential.Type != v1alpha1.CredentialCertificate || status.Credential.Name != "sallyport-"+string(w.request.UID) {
		t.Errorf("%+v", status.Credential)
	}
}

func TestAnSSHProxyHasItsHostKeyInEveryPhaseAndASecretForStaticAlone(t *testing.T) {
	t.Parallel()
	for _, kind := range []v1alpha1.CredentialType{v1alpha1.CredentialCertificate, v1alpha1.CredentialStatic} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newSSHWorld(t, kind)
			w.settle()
			p := w.provide()
			p.Targets = &consents{}
			key := w.phase(p).HostKey
			signer, err := ssh.ParsePrivateKey([]byte(key.Reveal()))
			w.must(err)
			if shown := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))); shown != w.request.Status.Endpoint.HostKey {
				t.Errorf("the status says %s, the proxy shows %s", w.request.Status.Endpoint.HostKey, shown)
			}
			w.decide(v1alpha1.OutcomeApproved)
			w.settle()
			state := w.phase(p)
			if state.Phase != grant.Granted || state.HostKey != key || state.Grant.Postgres != nil {
				t.Fatalf("%s", state.Phase)
			}
			want := &grant.SSHUpstream{Host: "web.example.org", Addresses: []string{"192.0.2.22"}, Port: 22, HostKeys: []string{targetHostKey}}
			if kind == v1alpha1.CredentialStatic {
				want.PrivateKey = "standing key"
			}
			if diff := cmp.Diff(want, state.Grant.SSH); diff != "" {
				t.Error(diff)
			}
			w.closeRequest()
			if state = w.phase(p); state.Phase != grant.Ended || state.HostKey != key || state.Grant != nil {
				t.Errorf("at the end: %s", state.Phase)
			}
		})
	}
}

func TestSSH_ACertificateIsMadeOnlyWhileTheRequestIsGranted(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.settle()
	w.runs()
	p := w.provide()
	key, uid := newKey(t), string(w.request.UID)
	refused := func(when, login string) {
		t.Helper()
		if _, err := p.Certify(t.Context(), uid, key, login); !errors.Is(err, control.ErrNotCertified) {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("before the review", "deploy")
	w.decide(v1alpha1.OutcomeApproved)
	refused("approved, and nothing issued yet", "deploy")
	w.settle()
	certificate, err := p.Certify(t.Context(), uid, key, "deploy")
	w.must(err)
	if diff := cmp.Diff([]string{"deploy"}, certificate.ValidPrincipals); diff != "" {
		t.Error(diff)
	}
	if got := certificate.CriticalOptions["source-address"]; got != "10.1.2.3/32,192.0.2.200/32" {
		t.Errorf("good from %q", got)
	}
	if end := time.Unix(int64(certificate.ValidBefore), 0); end.After(w.r.Now().Add(180 * time.Second)) {
		t.Errorf("good until %s", end)
	}
	refused("a login of the target that is not granted", "audit")
	refused("no login of the target's", "root")

	expires := w.request.Status.ExpiresAt.Time
	p.Now = func() time.Time { return expires.Add(-30 * time.Second) }
	w.r.Now = p.Now
	certificate, err = p.Certify(t.Context(), uid, key, "deploy")
	w.must(err)
	if end := time.Unix(int64(certificate.ValidBefore), 0); end.After(expires) {
		t.Errorf("good until %s, the task until %s", end, expires)
	}
	p.Now = func() time.Time { return expires }
	refused("after its time", "deploy")
	p.Now = w.r.Now
	w.closeRequest()
	refused("closed, before the leader has seen it", "deploy")
}

func TestSSH_NoReplicaCertifiesOnACacheOrAgainstThePlatformsWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world, *Provider)
		final  bool
	}{
		"policy edited": {func(w *world, _ *Provider) {
			w.policy.Spec.Session.MaxConcurrent = 9
			w.must(w.admin.Update(w.t.Context(), w.policy))
		}, true},
		"target edited": {func(w *world, _ *Provider) {
			w.target.Spec.SSH.Logins = []string{"deploy", "root"}
			w.must(w.admin.Update(w.t.Context(), w.target))
		}, true},
		"target gone":  {func(w *world, _ *Provider) { w.must(w.admin.Delete(w.t.Context(), w.target)) }, true},
		"request gone": {func(w *world, _ *Provider) { w.must(w.admin.Delete(w.t.Context(), w.request)) }, true},
		"the Secret taken away": {func(_ *world, p *Provider) {
			p.Targets = &consents{err: &target.Error{Reason: v1alpha1.ReasonNoSecret, Message: "there is no Secret"}}
		}, false},
		"the pod's addresses not known": {func(w *world, _ *Provider) {
			pod := w.proxyPod()
			pod.Status.PodIP, pod.Status.PodIPs, pod.Status.HostIP, pod.Status.HostIPs = "", nil, "", nil
			w.must(w.admin.Status().Update(w.t.Context(), pod))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSSHWorld(t, v1alpha1.CredentialCertificate)
			w.approve()
			w.runs()
			p := w.provide()
			key, uid := newKey(t), string(w.request.UID)
			if _, err := p.Certify(t.Context(), uid, key, "deploy"); err != nil {
				t.Fatalf("before: %v", err)
			}
			c.change(w, p)
			certificate, err := p.Certify(t.Context(), uid, key, "deploy")
			if err == nil || certificate != nil || errors.Is(err, control.ErrNotCertified) != c.final {
				t.Errorf("after: %v", err)
			}
		})
	}
}

func TestSSH_TheTargetsSourceAddressesGoBeforeThePods(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.target.Spec.SSH.SourceAddresses = []string{"198.51.100.0/24"}
	w.must(w.admin.Update(t.Context(), w.target))
	w.target.Status.Conditions = ready(w.target.Generation)
	w.must(w.admin.Status().Update(t.Context(), w.target))
	w.approve()
	certificate, err := w.provide().Certify(t.Context(), string(w.request.UID), newKey(t), "deploy")
	if err != nil || certificate.CriticalOptions["source-address"] != "198.51.100.0/24" {
		t.Errorf("%+v, %v", certificate, err)
	}
}

func TestSSH_CertificatesOfAnotherTargetAreByAnotherAuthority(t *testing.T) {
	t.Parallel()
	signed := []string{}
	for range 2 { // each in a namespace of its own
		w := newSSHWorld(t, v1alpha1.CredentialCertificate)
		w.approve()
		w.runs()
		certificate, err := w.provide().Certify(t.Context(), string(w.request.UID), newKey(t), "deploy")
		w.must(err)
		signed = append(signed, ssh.FingerprintSHA256(certificate.SignatureKey))
	}
	if signed[0] == signed[1] {
		t.Errorf("both are by %s", signed[0])
	}
}

func TestSSH_AStaticTargetMakesNoCertificates(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialStatic)
	w.approve()
	w.expect(v1alpha1.ReasonActive)
	w.runs()
	if _, err := w.provide().Certify(t.Context(), string(w.request.UID), newKey(t), "deploy"); !errors.Is(err, control.ErrNotCertified) {
		t.Error(err)
	}
	w.closeRequest()
	w.settle()
	w.expect(v1alpha1.ReasonClosed)
	if teardown := w.request.Status.Teardown; teardown.Proved || !strings.Contains(teardown.Message, `login "deploy" remains`) {
		t.Errorf("%+v", teardown)
	}
}

func TestSSH_ClosingLastsUntilTheCertificatesRanOut(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.approve()
	w.certify()
	w.closeRequest()
	w.settle()
	w.expect(v1alpha1.ReasonClosing)
	if err := w.pass(); err != nil {
		t.Errorf("nothing has failed: %v", err)
	}
	if message := meta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionReady).Message; !strings.Contains(message, "still good") {
		t.Error(message)
	}
	later := w.request.Status.Ended.At.Add(181 * time.Second)
	w.r.Now = func() time.Time { return later }
	w.settle()
	w.expect(v1alpha1.ReasonClosed)
	if teardown := w.request.Status.Teardown; !teardown.Proved || len(w.leftovers()) != 0 {
		t.Errorf("%+v, left %v", teardown, w.leftovers())
	}
}

func TestSSH_ATaskThatNobodyConnectedToClosesAtOnce(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.approve()
	w.expect(v1alpha1.ReasonActive)
	w.closeRequest()
	w.settle()
	w.expect(v1alpha1.ReasonClosed)
	if teardown := w.request.Status.Teardown; !teardown.Proved || !strings.HasPrefix(teardown.Message, "no certificate was made") || holds(w.request) {
		t.Errorf("%+v, held on to: %v", teardown, holds(w.request))
	}
}

func TestSSH_ThatACertificateWasMadeOutlastsEveryOtherWriterOfTheStatus(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.approve()
	w.certify()
	w.settle()
	p := w.provide() // another replica, which has certified nothing
	w.must(p.Report(t.Context(), string(w.request.UID), control.Report{Active: 1, Total: 1, Isolation: "cannot reach it", Isolated: true}))
	w.must(p.Report(t.Context(), string(w.request.UID), control.Report{Total: 1}))
	w.settle()
	w.must(w.admin.Delete(t.Context(), w.request))
	w.settle()
	if !certified(w.request.Status) {
		t.Errorf("%+v", w.request.Status.Conditions)
	}
	w.expect(v1alpha1.ReasonClosing)
}

func TestSSH_NoCertificateIsMadeThatTheStatusDoesNotTellOf(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.approve()
	w.runs()
	p := w.provide()
	watching, err := client.NewWithWatch(w.server.Config, client.Options{Scheme: w.admin.Scheme()})
	w.must(err)
	p.Client = interceptor.NewClient(watching, interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, name string, object runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
			w.closeRequest() // between the reads and the write
			return c.SubResource(name).Apply(ctx, object, options...)
		},
	})
	p.Client = uidClient{Client: p.Client, w: w}
	if certificate, err := p.Certify(t.Context(), string(w.request.UID), newKey(t), "deploy"); !errors.Is(err, control.ErrNotCertified) || certificate != nil {
		t.Errorf("%+v, %v", certificate, err)
	}
	if w.reload(); certified(w.request.Status) {
		t.Error("noted after the close")
	}
}

func TestSSH_ARevokedTaskIsKeptForTheListAsLongAsItsCertificatesLast(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.approve()
	w.certify()
	w.issuers[certificates].(certifying).revoked.Store(true)
	w.must(w.admin.Delete(t.Context(), w.request))
	w.settle()
	w.expect(v1alpha1.ReasonClosed)
	if !holds(w.request) {
		t.Fatal("it is gone, and with it the next list's entry")
	}
	later := w.request.Status.Ended.At.Add(192 * time.Second)
	w.r.Now = func() time.Time { return later }
	w.must(w.pass())
	if err := w.admin.Get(t.Context(), client.ObjectKeyFromObject(w.request), w.request); !apierrors.IsNotFound(err) {
		t.Errorf("the certificates have run out, and the request is still there: %v", err)
	}
}

func TestAnAbandonedTaskDoesNotWaitForItsCertificates(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.approve()
	w.certify()
	w.closeRequest()
	w.settle()
	w.expect(v1alpha1.ReasonClosing)
	w.request.Annotations = map[string]string{v1alpha1.AnnotationAbandon: "the machine burned down"}
	w.must(w.admin.Update(t.Context(), w.request))
	w.settle()
	w.expect(v1alpha1.ReasonAbandoned)
}

func TestAPolicyMustFitItsTargetsProtocolAndLogins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*v1alpha1.AccessPolicySpec)
		says   string
	}{
		"another protocol": {func(spec *v1alpha1.AccessPolicySpec) {
			spec.Grant = v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders"}}
		}, "policy web-deploy grants access by postgres; target web speaks ssh"},
		"a login that is not offered": {func(spec *v1alpha1.AccessPolicySpec) { spec.Grant.SSH.Logins = []string{"deploy", "root"} },
			"target web does not offer login root"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSSHWorld(t, v1alpha1.CredentialCertificate)
			c.change(&w.policy.Spec)
			w.must(w.admin.Update(t.Context(), w.policy))
			w.policy.Status.Conditions = ready(w.policy.Generation)
			w.must(w.admin.Status().Update(t.Context(), w.policy))
			w.settle()
			w.expect(v1alpha1.ReasonInvalid)
			if message := meta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionPolicyMatched).Message; !strings.Contains(message, c.says) {
				t.Error(message)
			}
		})
	}
}

func TestACertificatesGrantMayBeUnrestricted(t *testing.T) {
	t.Parallel()
	w := newSSHWorld(t, v1alpha1.CredentialCertificate)
	w.policy.Spec.Grant.SSH = &v1alpha1.SSHGrant{Logins: []string{"deploy"}, Unrestricted: true}
	w.must(w.admin.Update(t.Context(), w.policy))
	w.policy.Status.Conditions = ready(w.policy.Generation)
	w.must(w.admin.Status().Update(t.Context(), w.policy))
	w.approve()
	w.expect(v1alpha1.ReasonActive)
}
