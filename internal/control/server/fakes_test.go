package server_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/client"
	"github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/keys"
)

const (
	mine   = "0a1b2c3d-0000-4000-8000-000000000001"
	others = "0a1b2c3d-0000-4000-8000-000000000002"
	secret = "pa55-of-the-task"
)

// tokens is a TokenReview that knows some tokens.
type tokens struct {
	mu    sync.Mutex
	known map[string]authenticationv1.TokenReviewStatus
	asked int
	err   error
}

func (k *tokens) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.err != nil {
		return nil, k.err
	}
	answer := review.DeepCopy()
	// It vouches whatever the audience asked for: the server must look for itself.
	answer.Status = k.known[review.Spec.Token]
	return answer, nil
}

func (k *tokens) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// proxyToken is a projected token of the pod tar-<uid>.
func proxyToken(uid string) authenticationv1.TokenReviewStatus {
	return authenticationv1.TokenReviewStatus{
		Authenticated: true,
		Audiences:     []string{control.Audience},
		User: authenticationv1.UserInfo{
			Username: "system:serviceaccount:" + v1alpha1.ProxyNamespace + ":tar-" + uid,
			Extra: map[string]authenticationv1.ExtraValue{
				"authentication.kubernetes.io/pod-name": {"tar-" + uid},
				"authentication.kubernetes.io/pod-uid":  {"pod-" + uid},
			},
		},
	}
}

// pods resolves the pods tar-<uid>.
type pods struct {
	mu   sync.Mutex
	gone map[string]bool
	err  error
}

func (p *pods) Resolve(_ context.Context, pod server.Pod) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	uid := strings.TrimPrefix(pod.Name, "tar-")
	if p.err != nil {
		return "", p.err
	}
	if p.gone[uid] || pod.UID != "pod-"+uid {
		return "", server.ErrUnknownPod
	}
	return uid, nil
}

func (p *pods) set(f func(*pods)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// tasks is a Provider.
type tasks struct {
	mu       sync.Mutex
	states   map[string]grant.State
	err      error
	changes  map[chan struct{}]string
	reports  map[string][]control.Report
	reported chan control.Report
	holds    map[string]*held
}

// held is one operation before reviewers.
type held struct {
	operation v1alpha1.HeldOperation
	state     control.HoldState
	opened    int
	withdrawn chan struct{}
}

func newTasks() *tasks {
	return &tasks{
		states: map[string]grant.State{mine: waiting(mine), others: waiting(others)}, changes: map[chan struct{}]string{},
		reports: map[string][]control.Report{}, reported: make(chan control.Report, 64), holds: map[string]*held{},
	}
}

func (p *tasks) State(_ context.Context, uid string) (grant.State, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return grant.State{}, p.err
	}
	return p.states[uid], nil
}

func (p *tasks) Subscribe(uid string) (<-chan struct{}, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := make(chan struct{}, 1)
	p.changes[c] = uid
	return c, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.changes, c)
	}
}

func (p *tasks) Report(_ context.Context, uid string, report control.Report) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports[uid] = append(p.reports[uid], report)
	select {
	case p.reported <- report:
	default:
	}
	return nil
}

func (p *tasks) OpenHold(_ context.Context, uid string, operation v1alpha1.HeldOperation) (control.HoldState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return control.HoldState{}, p.err
	}
	h := p.holds[uid+operation.ID]
	if h == nil {
		h = &held{operation: operation, withdrawn: make(chan struct{}), state: control.HoldState{
			Review: "pay-1423-0123456789", Digest: operation.Digest, Message: "needs 1 of dba",
		}}
		p.holds[uid+operation.ID] = h
	}
	h.opened++
	return h.state, nil
}

func (p *tasks) HoldState(_ context.Context, uid, id string, _ v1alpha1.HoldPoint) (control.HoldState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return control.HoldState{}, p.err
	}
	return p.holds[uid+id].state, nil
}

func (p *tasks) Withdraw(_ context.Context, uid, id string, _ v1alpha1.HoldPoint) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.holds[uid+id]
	if h == nil || p.err != nil {
		return false, p.err
	}
	close(h.withdrawn)
	return true, nil
}

// hold is an operation that is before reviewers, or nil.
func (p *tasks) hold(uid, id string) *held {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holds[uid+id]
}

// set changes what is known, and says so.
func (p *tasks) set(f func(*tasks)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
	for c := range p.changes {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func waiting(uid string) grant.State {
	return grant.State{Phase: grant.Waiting, Wait: "waiting for 1 of dba", Task: grant.Task{RequestUID: uid, Request: "pay-1423", Requester: "bob"}}
}

func granted(uid string) grant.State {
	state := waiting(uid)
	state.Phase, state.Wait = grant.Granted, ""
	state.Grant = &grant.Grant{
		PolicyName: "orders-read",
		Policy:     v1alpha1.AccessPolicySpec{TaskTypes: []string{"read"}, Session: v1alpha1.SessionPolicy{ControlLossSeconds: 5}},
		Deadline:   time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC),
		Postgres: &grant.PostgresUpstream{
			Host: "orders.example.com", Addresses: []string{"192.0.2.1"}, Port: 5432, Database: "orders",
			User: "sp_" + uid, Password: secret, ClientKey: "key-" + secret,
		},
	}
	return state
}

func closed(uid string) grant.State {
	state := waiting(uid)
	state.Phase, state.Wait, state.Reason = grant.Ended, "", "closed by alice"
	return state
}

// world is a manager on loopback, and what it asks.
type world struct {
	t       *testing.T
	root    *keys.Root
	tokens  *tokens
	pods    *pods
	tasks   *tasks
	timing  server.Timing
	address string
	stop    func()
	// ahead is how far the manager's clock is ahead, in nanoseconds.
	ahead atomic.Int64
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func newWorld(t *testing.T, timing server.Timing) *world {
	t.Helper()
	root, err := keys.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, root: root, timing: timing, tasks: newTasks(), pods: &pods{gone: map[string]bool{}},
		tokens: &tokens{known: map[string]authenticationv1.TokenReviewStatus{
			"mine": proxyToken(mine), "others": proxyToken(others),
		}},
		address: "127.0.0.1:0",
	}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start serves, on the address of the last time if there was one.
func (w *world) start() {
	w.t.Helper()
	listener, err := net.Listen("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.address = listener.Addr().String()
	s, err := server.New(server.Options{
		Keys: w.root, Reviews: w.tokens, Resolver: w.pods, Provider: w.tasks, Sealer: w, Certifier: w, Log: logr.Discard(), Now: w.now, Timing: w.timing,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				w.t.Errorf("serve: %v", err)
			}
		case <-time.After(10 * time.Second):
			w.t.Error("the server does not stop")
		}
	})
}

// proxy is a client that runs, and the states that it was told.
type proxy struct {
	*client.Client
	states chan grant.State
	ran    chan error
	stop   context.CancelFunc
}

func (w *world) options(token string) client.Options {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return client.Options{
		Address: w.address, CA: w.root.CA(), TokenFile: file, Version: "test", Log: logr.Discard(), Now: time.Now,
		Timing: client.Timing{FirstRetry: 10 * time.Millisecond, LastRetry: 100 * time.Millisecond, Beat: 300 * time.Millisecond},
	}
}

func (w *world) proxy(options client.Options) *proxy {
	w.t.Helper()
	c, err := client.New(options)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &proxy{Client: c, states: make(chan grant.State, 64), ran: make(chan error, 1), stop: cancel}
	go func() { p.ran <- c.Run(ctx, func(s grant.State) { p.states <- s }) }()
	w.t.Cleanup(func() {
		cancel()
		select {
		case <-p.ran:
		case <-time.After(10 * time.Second):
			w.t.Error("the client does not stop")
		}
	})
	return p
}

// next is the next state that the proxy is told.
func (p *proxy) next(t *testing.T) grant.State {
	t.Helper()
	return within(t, p.states, "a state")
}

func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s within 10 s", what)
	}
	panic("unreachable")
}

var errDown = errors.New("the API server is down")
