// Package plugins_test runs the plugins as people do: by kubectl, from kubeconfigs,
// against an API server with the admission policies installed.
package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/config/admission"
	"github.com/sallyport/sallyport/controllers/approvalreview"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/digest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// world is a namespace with a policy and a target, and people with kubeconfigs.
type world struct {
	t         *testing.T
	server    *apitest.Server
	manager   client.Client
	namespace string
	plugins   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := apitest.Start(t)
	as := rest.CopyConfig(server.Config)
	as.Impersonate = rest.ImpersonationConfig{UserName: v1alpha1.ManagerUsername, Groups: []string{"system:masters"}}
	manager, err := client.New(as, client.Options{Scheme: server.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: server, manager: manager, namespace: server.Namespace(t.Context(), t), plugins: t.TempDir()}
	w.build("kubectl-access", "kubectl-approve")
	w.install()
	return w
}

// build puts the plugins on a PATH of their own, with the names under which kubectl
// completes them.
func (w *world) build(names ...string) {
	w.t.Helper()
	for _, name := range names {
		file := filepath.Join(w.plugins, name)
		if out, err := exec.Command("go", "build", "-C", apitest.Root(), "-o", file, "./cmd/"+name).CombinedOutput(); err != nil {
			w.t.Fatalf("build %s: %v\n%s", name, err, out)
		}
		if err := os.Symlink(file, filepath.Join(w.plugins, strings.Replace(name, "kubectl-", "kubectl_complete-", 1))); err != nil {
			w.t.Fatal(err)
		}
	}
}

// install puts the admission policies in, and waits until they stamp requesters.
func (w *world) install() {
	w.t.Helper()
	objects, err := admission.Objects()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, object := range objects {
		err := w.server.Client.Apply(w.t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test"), client.ForceOwnership)
		if err != nil {
			w.t.Fatalf("install %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	gomega.NewWithT(w.t).Eventually(func() error {
		probe := w.request("probe")
		probe.Spec.Requester = v1alpha1.Requester{}
		return w.server.Client.Create(w.t.Context(), probe, client.DryRunAll)
	}, "20s", "100ms").Should(gomega.Succeed())
}

func (w *world) request(name string) *v1alpha1.TaskAccessRequest {
	r := &v1alpha1.TaskAccessRequest{Spec: v1alpha1.TaskAccessRequestSpec{
		Task: v1alpha1.Task{ID: "X-1", Type: "read"}, Target: "orders", Reason: "probe", DurationSeconds: 60,
	}}
	r.Namespace, r.Name = w.namespace, name
	return r
}

// person is somebody with a kubeconfig and a home of their own.
type person struct {
	*world
	environment []string
}

func (w *world) person(name string, groups ...string) person {
	w.t.Helper()
	config := w.server.User(w.t, name, groups...)
	home := w.t.TempDir()
	file := filepath.Join(home, "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: "https://" + strings.TrimPrefix(config.Host, "https://"), CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: name, Namespace: w.namespace}},
		CurrentContext: "x",
	}, file)
	if err != nil {
		w.t.Fatal(err)
	}
	return person{world: w, environment: append(os.Environ(),
		"KUBECONFIG="+file, "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, ".config"), "PATH="+w.plugins+":"+w.server.Assets+":"+os.Getenv("PATH"))}
}

// kubectl runs it, and returns what it prints, errors last, and whether it succeeds.
func (p person) kubectl(arguments ...string) (string, bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(p.server.Assets, "kubectl"), arguments...)
	command.Env = p.environment
	out, err := command.CombinedOutput()
	exit := &exec.ExitError{}
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("kubectl %s: %v", strings.Join(arguments, " "), err)
	}
	return string(out), err == nil
}

// expect runs kubectl and wants success or failure, and parts of what it prints.
func (p person) expect(success bool, parts []string, arguments ...string) {
	p.t.Helper()
	out, ok := p.kubectl(arguments...)
	if ok != success {
		p.t.Errorf("kubectl %s: success %t\n%s", strings.Join(arguments, " "), ok, out)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			p.t.Errorf("kubectl %s: no %q in\n%s", strings.Join(arguments, " "), part, out)
		}
	}
}

// review opens the review of a request, as the manager does, and counts it from then on.
func (w *world) review(name string) {
	w.t.Helper()
	ctx := w.t.Context()
	r := &v1alpha1.TaskAccessRequest{}
	if err := w.manager.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, r); err != nil {
		w.t.Fatal(err)
	}
	policy := &v1alpha1.AccessPolicy{Spec: v1alpha1.AccessPolicySpec{
		TaskTypes: []string{"read"}, Targets: []string{"orders"}, Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders"}},
		Review: v1alpha1.ReviewPolicy{Requirements: []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}}},
	}}
	policy.Namespace, policy.Name = w.namespace, "orders-read"
	target := &v1alpha1.AccessTarget{Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
		Host: "db.example.org", Port: 5432, Databases: []string{"orders"}, TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSDisable},
	}}}
	target.Namespace, target.Name = w.namespace, "orders"
	for _, object := range []client.Object{policy, target} {
		if err := w.server.Client.Create(ctx, object); err != nil {
			w.t.Fatal(err)
		}
	}
	review := &v1alpha1.ApprovalReview{Spec: v1alpha1.ApprovalReviewSpec{
		Question: v1alpha1.Question{
			Subject:   v1alpha1.Subject{Kind: v1alpha1.SubjectRequest, Request: digest.BindRequest(r)},
			Requester: r.Spec.Requester, Task: r.Spec.Task, Reason: r.Spec.Reason, DurationSeconds: r.Spec.DurationSeconds,
			Policy: digest.BindPolicy(policy), Target: digest.BindTarget(target), Grant: policy.Spec.Grant,
			Requirements: policy.Spec.Review.Requirements, ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour)),
		},
		Decisions: []v1alpha1.Decision{},
	}}
	review.Namespace, review.Name = w.namespace, name+"-1234"
	review.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "TaskAccessRequest", Name: r.Name, UID: r.UID,
	}}
	if err := w.manager.Create(ctx, review); err != nil {
		w.t.Fatal(err)
	}
	w.count(review)
}

func (w *world) count(review *v1alpha1.ApprovalReview) {
	r := &approvalreview.Reconciler{
		Client: w.manager, Live: w.manager, Authoriser: approvalreview.AccessReviews{Client: w.manager},
		Events: events.NewFakeRecorder(100), Now: time.Now,
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(review)})
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	w.t.Cleanup(func() { cancel(); <-done })
}

func TestPeopleAskAnswerAndCloseByKubectl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	requests := []string{"create", "get", "list", "patch", "delete"}
	reviews := []string{"get", "list", "watch", "patch"}
	allow := func(user, resource string, verbs []string, names ...string) {
		w.server.Allow(t.Context(), t, w.namespace, user, resource, verbs, names...)
	}
	bob, alice, mallory := w.person("bob", "engineering", "dba"), w.person("alice", "dba"), w.person("mallory", "dba")
	allow("bob", "taskaccessrequests", requests)
	for _, user := range []string{"bob", "alice", "mallory"} {
		allow(user, "approvalreviews", reviews)
		allow(user, "accesspolicies", []string{"get"})
	}
	allow("bob", "accesspolicies", []string{"review"}, "orders-read")
	allow("alice", "accesspolicies", []string{"review"}, "orders-read")
	allow("alice", "taskaccessrequests", []string{"get", "patch"})

	bob.expect(true, []string{"taskaccessrequest.access.sallyport.dev/pay-1423 created", "kubectl access psql pay-1423"},
		"access", "request", "--task", "PAY-1423", "--type", "read", "--target", "orders", "--reason", "wrong total")
	bob.expect(true, []string{"username: bob", "- dba", "- system:authenticated"}, "access", "show", "pay-1423", "-o", "yaml")
	w.review("pay-1423")

	bob.expect(true, []string{"No reviews wait for you."}, "approve")
	bob.expect(false, []string{"Error from server"}, "approve", "pay-1423", "-m", "trust me")
	mallory.expect(true, []string{"No reviews wait for you."}, "approve")
	mallory.expect(false, []string{"Error from server"}, "approve", "pay-1423")
	alice.expect(true, []string{"pay-1423", "PAY-1423", "bob", "orders-read", "wrong total", "1 of dba"}, "approve")
	alice.expect(true, []string{"pay-1423\tPAY-1423"}, "__complete", "approve", "")
	alice.expect(true, []string{"connect to database orders"}, "approve", "show", "pay-1423")
	alice.expect(true, []string{"pay-1423 approved: counted for seat dba; the review is over: Approved"}, "approve", "PAY-1423", "-m", "looks right")
	alice.expect(false, []string{"error: the review of pay-1423 is over: Approved"}, "approve", "deny", "pay-1423", "-m", "after all")

	alice.expect(false, []string{"Error from server"}, "access", "close", "pay-1423")
	bob.expect(true, []string{"pay-1423 closed"}, "access", "close", "pay-1423")
	out, _ := bob.kubectl("get", "tar", "pay-1423", "-o", "jsonpath={.spec.state}")
	if out != "Closed" {
		t.Errorf("state %q", out)
	}
}

func TestADryRunIsWhatKubectlApplyTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := w.person("bob", "engineering")
	w.server.Allow(t.Context(), t, w.namespace, "bob", "taskaccessrequests", []string{"create", "get", "list", "patch"})
	out, ok := bob.kubectl("access", "request", "--task", "PAY-7", "--type", "read", "--target", "orders", "--reason", "x", "--dry-run")
	if !ok {
		t.Fatal(out)
	}
	file := filepath.Join(t.TempDir(), "request.yaml")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	bob.expect(true, []string{"taskaccessrequest.access.sallyport.dev/pay-7 created"}, "apply", "-f", file)
	bob.expect(true, []string{fmt.Sprintf("%-8s", "pay-7")}, "access", "list", "--mine")
}
