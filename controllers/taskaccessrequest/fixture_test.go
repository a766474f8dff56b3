package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/manifest"
)

// roles is how the bank makes credentials.
var roles = credential.Kind{Protocol: v1alpha1.ProtocolPostgres, Type: v1alpha1.CredentialEphemeralRole}

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// bank is a target that remembers which credentials it holds.
type bank struct {
	mu     sync.Mutex
	roles  map[string]int
	issued int
	down   bool
	// keys are the root keys that names follow from.
	keys string
}

var errDown = errors.New("the target does not answer")

func (b *bank) Name(_ credential.Target, uid string) v1alpha1.IssuedCredential {
	return v1alpha1.IssuedCredential{Type: v1alpha1.CredentialEphemeralRole, Name: "role-" + b.keys + uid[:8]}
}

func (b *bank) Login(credential.Target, credential.Request) (credential.Login, error) {
	return credential.Login{User: "role", Password: "derived"}, nil
}

func (b *bank) change(do func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errDown
	}
	do()
	return nil
}

func (b *bank) Issue(_ context.Context, _ credential.Target, r credential.Request) (v1alpha1.IssuedCredential, error) {
	err := b.change(func() { b.roles[r.UID]++; b.issued++ })
	issued := b.Name(credential.Target{}, r.UID)
	issued.Generation = r.Generation
	issued.ValidUntil = &metav1.Time{Time: r.ValidUntil}
	return issued, err
}

func (b *bank) Revoke(_ context.Context, _ credential.Target, r credential.Request) error {
	return b.change(func() { delete(b.roles, r.UID) })
}

func (b *bank) Verify(_ context.Context, _ credential.Target, r credential.Request) (credential.Evidence, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return credential.Evidence{}, errDown
	}
	_, there := b.roles[r.UID]
	return credential.Evidence{Absent: !there, Message: "role absent, 0 backends", CheckedAt: time.Now()}, nil
}

func (b *bank) List(context.Context, credential.Target) ([]string, error) { return nil, nil }

func (b *bank) Probe(context.Context, credential.Target) (credential.Findings, error) {
	return credential.Findings{}, nil
}

type resolved struct{}

func (resolved) Resolve(_ context.Context, target *v1alpha1.AccessTarget) (credential.Target, error) {
	return credential.Target{Name: target.Name, Namespace: target.Namespace, Spec: target.Spec, Addresses: []string{"192.0.2.10"}}, nil
}

func (r resolved) Consent(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error) {
	answer, err := r.Resolve(ctx, target)
	answer.Addresses = nil
	return answer, err
}

type intact struct{ differences []string }

func (g *intact) Differences(context.Context) ([]string, error) { return g.differences, nil }

// world is one namespace with a target, a policy and a request, and a reconciler.
type world struct {
	t       *testing.T
	server  *apitest.Server
	admin   client.Client
	bank    *bank
	issuers credential.Issuers
	guard   *intact
	stores  *archives
	policy  *v1alpha1.AccessPolicy
	target  *v1alpha1.AccessTarget
	request *v1alpha1.TaskAccessRequest
	now     func() time.Time
	r       *Reconciler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := apitest.Start(t)
	w := &world{t: t, server: server, admin: server.Client, bank: &bank{roles: map[string]int{}}, guard: &intact{}, stores: &archives{}, now: time.Now}
	w.issuers = credential.Issuers{roles: w.bank}
	ctx := t.Context()
	proxies := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ProxyNamespace}}
	w.must(client.IgnoreAlreadyExists(w.admin.Create(ctx, proxies)))
	namespace := server.Namespace(ctx, t)

	w.target = &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders"},
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
			Host: "db.example.org", Port: 5432, Databases: []string{"orders"}, Credential: v1alpha1.CredentialEphemeralRole,
			TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull},
		}},
	}
	w.must(w.admin.Create(ctx, w.target))
	w.target.Status.Addresses = []string{"192.0.2.10"}
	w.target.Status.Conditions = ready(w.target.Generation)
	w.must(w.admin.Status().Update(ctx, w.target))

	w.policy = &v1alpha1.AccessPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders-fix"},
		Spec: v1alpha1.AccessPolicySpec{
			TaskTypes: []string{"data-fix"}, Targets: []string{"orders"}, Isolation: v1alpha1.IsolationReported,
			Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Relations: []v1alpha1.RelationGrant{
				{Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
			}}},
			Review: v1alpha1.ReviewPolicy{Requirements: []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}}},
		},
	}
	w.must(w.admin.Create(ctx, w.policy))
	w.policy.Status.Conditions = ready(w.policy.Generation)
	w.must(w.admin.Status().Update(ctx, w.policy))

	w.request = w.newRequest("pay-1423", "bob-"+namespace)
	w.r = w.reconciler(w.admin)
	return w
}

// newRequest makes a request whose requester, an administrator by group, may use every policy.
func (w *world) newRequest(name, requester string) *v1alpha1.TaskAccessRequest {
	w.t.Helper()
	request := &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.target.Namespace, Name: name},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: requester, Groups: []string{"system:masters"}},
			Task:      v1alpha1.Task{ID: "PAY-1423", Type: "data-fix", Reviewer: "carol"},
			Target:    "orders", Reason: "wrong totals", DurationSeconds: 600, State: v1alpha1.StateOpen,
		},
	}
	w.must(w.admin.Create(w.t.Context(), request))
	return request
}

func (w *world) reconciler(c client.Client) *Reconciler {
	return &Reconciler{
		Client: c, Live: w.admin, Targets: resolved{}, Stores: w.stores, Guard: w.guard, Events: events.NewFakeRecorder(1000), Now: w.now, MaxOpenPerPerson: 2,
		Issuers: maps.Clone(w.issuers), HostKeys: rootKeys(w.t),
		Settings: manifest.Settings{Image: "sallyport.local/proxy:dev", Claim: "sallyport-recordings", ControlAddress: "192.0.2.1:8443", ControlServerName: "control", ControlCA: "ca"},
	}
}

// pass reconciles once, and reads the request again.
func (w *world) pass() error {
	w.t.Helper()
	_, err := w.r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)})
	w.reload()
	return err
}

// settle reconciles until nothing changes any more.
func (w *world) settle() {
	w.t.Helper()
	for range 20 {
		before := w.request.ResourceVersion
		err := w.pass()
		if err == nil && w.request.ResourceVersion == before {
			return
		}
	}
}

func (w *world) reload() {
	w.t.Helper()
	w.must(client.IgnoreNotFound(w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(w.request), w.request)))
}

// approve takes the request through its review to whatever follows from a yes.
func (w *world) approve() {
	w.t.Helper()
	w.settle()
	w.decide(v1alpha1.OutcomeApproved)
	w.settle()
}

func (w *world) decide(outcome v1alpha1.Outcome) {
	w.t.Helper()
	review := &v1alpha1.ApprovalReview{}
	w.must(w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.request.Namespace, Name: w.request.Status.Review}, review))
	review.Status.Outcome = outcome
	w.must(w.admin.Status().Update(w.t.Context(), review))
}

func (w *world) closeRequest() {
	w.t.Helper()
	w.reload()
	w.request.Spec.State = v1alpha1.StateClosed
	w.must(w.admin.Update(w.t.Context(), w.request))
}

func (w *world) expect(reason string) {
	w.t.Helper()
	condition := meta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionReady)
	if condition == nil || condition.Reason != reason {
		w.t.Fatalf("the request is %s, want %s", describe(condition), reason)
	}
}

// leftovers is what the cluster still holds for the request.
func (w *world) leftovers() []string {
	w.t.Helper()
	left := []string{}
	for _, object := range []client.Object{
		manifest.ServiceAccount(w.request), manifest.Service(w.request, manifest.Upstream{}), manifest.Role(w.request), manifest.RoleBinding(w.request),
		manifest.NetworkPolicy(w.request, manifest.Upstream{}, manifest.Store{}), manifest.Pod(w.request, manifest.Upstream{}, w.r.Settings, manifest.Store{}, 1),
	} {
		err := w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(object), object)
		if err == nil {
			left = append(left, fmt.Sprintf("%T", object))
		}
		w.must(client.IgnoreNotFound(err))
	}
	return left
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func ready(generation int64) []metav1.Condition {
	return []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
		ObservedGeneration: generation, LastTransitionTime: metav1.Now(),
	}}
}

func describe(condition *metav1.Condition) string {
	if condition == nil {
		return "without a state"
	}
	return condition.Reason + ": " + condition.Message
}
