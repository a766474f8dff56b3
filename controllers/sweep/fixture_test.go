package sweep

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/manifest"
)

// roles is how the bank makes credentials.
var roles = credential.Kind{Protocol: v1alpha1.ProtocolPostgres, Type: v1alpha1.CredentialEphemeralRole}

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

var errDown = errors.New("the target does not answer")

// bank holds credentials for every target of a namespace, by the target's name.
type bank struct {
	credential.Issuer

	mu    sync.Mutex
	roles map[string]map[string]bool
	// listing is called before a target is listed, when there is one.
	listing func(ctx context.Context, target string) error
}

func (b *bank) hold(target string, uids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.roles[target] == nil {
		b.roles[target] = map[string]bool{}
	}
	for _, uid := range uids {
		b.roles[target][uid] = true
	}
}

func (b *bank) held(target string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.roles[target]))
}

func (b *bank) List(ctx context.Context, target credential.Target) ([]string, error) {
	if b.listing != nil {
		if err := b.listing(ctx, target.Name); err != nil {
			return nil, err
		}
	}
	return b.held(target.Name), nil
}

func (b *bank) Revoke(_ context.Context, target credential.Target, request credential.Request) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.roles[target.Name], request.UID)
	return nil
}

// resolver says of every target what it was told, but for the name.
type resolver struct{ administrator credential.Target }

func (r resolver) Resolve(_ context.Context, target *v1alpha1.AccessTarget) (credential.Target, error) {
	resolved := r.administrator
	resolved.Name, resolved.Namespace = target.Name, target.Namespace
	return resolved, nil
}

// world is a namespace with its targets and requests, and a sweeper. The tests of the
// package do not run in parallel: each sweep is of the whole cluster.
type world struct {
	t         *testing.T
	admin     client.Client
	namespace string
	bank      *bank
	sweeper   *Sweeper
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := apitest.Start(t)
	w := &world{t: t, admin: server.Client, bank: &bank{roles: map[string]map[string]bool{}}}
	proxies := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ProxyNamespace}}
	w.must(client.IgnoreAlreadyExists(w.admin.Create(t.Context(), proxies)))
	w.namespace = server.Namespace(t.Context(), t)
	w.sweeper = &Sweeper{
		Client: w.admin, Uncached: w.admin, Targets: resolver{},
		Issuers:  credential.Issuers{roles: w.bank},
		Interval: time.Hour, Timeout: 10 * time.Second, Log: testr.New(t),
	}
	return w
}

func (w *world) target(name string) {
	w.t.Helper()
	target := &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
			Host: "db.example.org", Port: 5432, Databases: []string{"orders"}, Credential: v1alpha1.CredentialEphemeralRole,
			TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull},
		}},
	}
	w.must(w.admin.Create(w.t.Context(), target))
	// The next test's sweep is of its own targets.
	w.t.Cleanup(func() { w.must(w.admin.Delete(context.Background(), target)) })
}

func (w *world) open(name string) *v1alpha1.TaskAccessRequest {
	w.t.Helper()
	request := &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "bob"}, Task: v1alpha1.Task{ID: "PAY-1423", Type: "data-fix"},
			Target: "orders", Reason: "wrong totals", DurationSeconds: 600, State: v1alpha1.StateOpen,
		},
	}
	w.must(w.admin.Create(w.t.Context(), request))
	return request
}

// closed is a request that was torn down.
func (w *world) closed(name string) *v1alpha1.TaskAccessRequest {
	w.t.Helper()
	request := w.open(name)
	request.Status.ClosedAt = new(metav1.Now())
	w.must(w.admin.Status().Update(w.t.Context(), request))
	return request
}

// gone is a request that the cluster has no more.
func (w *world) gone(name string) *v1alpha1.TaskAccessRequest {
	w.t.Helper()
	request := w.open(name)
	w.must(w.admin.Delete(w.t.Context(), request))
	return request
}

var upstream = manifest.Upstream{Protocol: v1alpha1.ProtocolPostgres, Port: 5432}

func objectsOf(request *v1alpha1.TaskAccessRequest) []client.Object {
	return []client.Object{
		manifest.ServiceAccount(request), manifest.Service(request, upstream), manifest.Role(request), manifest.RoleBinding(request),
		manifest.NetworkPolicy(request, upstream, manifest.Store{}), manifest.Pod(request, upstream, manifest.Settings{Image: "proxy", Claim: "recordings"}, manifest.Store{}, 600),
	}
}

func (w *world) deploy(request *v1alpha1.TaskAccessRequest) {
	w.t.Helper()
	for _, object := range objectsOf(request) {
		w.must(w.admin.Create(w.t.Context(), object))
	}
}

// standing is how many of a request's objects the cluster holds.
func (w *world) standing(request *v1alpha1.TaskAccessRequest) int {
	w.t.Helper()
	found := 0
	for _, object := range objectsOf(request) {
		err := w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(object), object)
		w.must(client.IgnoreNotFound(err))
		if err == nil {
			found++
		}
	}
	return found
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
