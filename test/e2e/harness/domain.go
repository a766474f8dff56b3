package harness

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

//go:embed testdata/people.yaml
var peopleYAML string

// Names in every domain.
const (
	Target     = "orders"
	ReadPolicy = "orders-read"
	FixPolicy  = "orders-fix"
	// TypeRead and TypeFix are the types of task that the policies serve.
	TypeRead = "read"
	TypeFix  = "data-fix"
)

// Domain is a namespace with a target, its policies and its people: bob and dave
// ask (group engineering), alice reviews (group dba) and closes, carol reviews.
type Domain struct {
	*Cluster
	Namespace               string
	Bob, Dave, Alice, Carol *User

	// target is what tasks are asked for.
	target string
}

// Policies are a domain's, before they are made: a test may change them.
type Policies struct{ Read, Fix v1alpha1.AccessPolicySpec }

// Domain makes one, of this test alone, and waits until target and policies are ready.
func (c *Cluster) Domain(t testing.TB, change ...func(*Policies)) *Domain {
	t.Helper()
	d := c.settle(t, Target)
	c.create(t, d.Secret(), d.Target())
	policies := Policies{Read: readPolicy(), Fix: fixPolicy()}
	for _, f := range change {
		f(&policies)
	}
	for name, spec := range map[string]v1alpha1.AccessPolicySpec{ReadPolicy: policies.Read, FixPolicy: policies.Fix} {
		c.create(t, &v1alpha1.AccessPolicy{ObjectMeta: d.meta(name), Spec: spec})
	}
	for _, object := range []client.Object{
		&v1alpha1.AccessTarget{ObjectMeta: d.meta(Target)},
		&v1alpha1.AccessPolicy{ObjectMeta: d.meta(ReadPolicy)}, &v1alpha1.AccessPolicy{ObjectMeta: d.meta(FixPolicy)},
	} {
		c.AwaitReady(t, object)
	}
	return d
}

// settle makes a domain's namespace and its people.
func (c *Cluster) settle(t testing.TB, target string) *Domain {
	t.Helper()
	d := &Domain{
		Cluster: c, Namespace: "payments-" + rand.String(6), target: target,
		Bob: c.User(t, "bob", "engineering"), Dave: c.User(t, "dave", "engineering"),
		Alice: c.User(t, "alice", "dba"), Carol: c.User(t, "carol"),
	}
	c.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.Namespace}})
	t.Cleanup(func() { d.remove(t) })
	c.Administrator.KubectlWith(t, peopleYAML, "apply", "-n", d.Namespace, "-f", "-")
	return d
}

func (d *Domain) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: d.Namespace, Name: name}
}

// Secret opts the domain's target in, and pins it.
func (d *Domain) Secret() *corev1.Secret {
	p := d.Postgres
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.TargetNamespace, Name: d.Namespace + "." + Target},
		StringData: map[string]string{
			"host": p.Name, "port": strconv.Itoa(int(p.Port)), "ca.crt": p.CA, "username": p.User, "password": p.Password,
		},
	}
}

// Target is the domain's AccessTarget.
func (d *Domain) Target() *v1alpha1.AccessTarget {
	p := d.Postgres
	return &v1alpha1.AccessTarget{
		ObjectMeta: d.meta(Target),
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
			Host: p.Name, Port: p.Port, Databases: []string{Database},
			TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull, CABundle: p.CA},
		}},
	}
}

func (c *Cluster) create(t testing.TB, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// remove takes the domain away; it waits for nothing.
func (d *Domain) remove(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	if t.Failed() {
		t.Logf("the end of namespace %s:\n%s", d.Namespace, d.Administrator.Try(t, "get", "tar,arev,apol,atgt,events", "-n", d.Namespace, "-o", "wide"))
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.Namespace}}
	if err := client.IgnoreNotFound(d.Admin.Delete(ctx, namespace)); err != nil {
		t.Error(err)
	}
}

// AwaitReady waits until an object's condition Ready is true for its newest generation.
func (c *Cluster) AwaitReady(t testing.TB, object client.Object) {
	t.Helper()
	Eventually(t, Patience, fmt.Sprintf("%T %s ready", object, object.GetName()), func() (bool, string) {
		if err := c.Admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return false, err.Error()
		}
		ready := meta.FindStatusCondition(conditions(object), v1alpha1.ConditionReady)
		if ready == nil {
			return false, "no condition Ready"
		}
		return ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == object.GetGeneration(), ready.Reason + ": " + ready.Message
	})
}

func conditions(object client.Object) []metav1.Condition {
	switch o := object.(type) {
	case *v1alpha1.AccessTarget:
		return o.Status.Conditions
	case *v1alpha1.AccessPolicy:
		return o.Status.Conditions
	case *v1alpha1.TaskAccessRequest:
		return o.Status.Conditions
	case *v1alpha1.ApprovalReview:
		return o.Status.Conditions
	}
	return nil
}

// readPolicy needs one yes of the database administrators.
func readPolicy() v1alpha1.AccessPolicySpec {
	return v1alpha1.AccessPolicySpec{
		TaskTypes: []string{TypeRead}, Targets: []string{Target}, Isolation: v1alpha1.IsolationRequired,
		Grant: grantOf(v1alpha1.PrivilegeSelect),
		Review: v1alpha1.ReviewPolicy{
			Requirements:        []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}},
			ExpiresAfterSeconds: 3600,
		},
		Session: v1alpha1.SessionPolicy{MaxDurationSeconds: 3600},
	}
}

// fixPolicy needs a database administrator and the task's reviewer.
func fixPolicy() v1alpha1.AccessPolicySpec {
	fix := readPolicy()
	fix.TaskTypes = []string{TypeFix}
	fix.Grant = grantOf(v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeUpdate)
	fix.Review.Requirements = append(fix.Review.Requirements,
		v1alpha1.ReviewRequirement{Name: "task-reviewer", FromTask: v1alpha1.FromTaskReviewer, Count: 1})
	return fix
}

func grantOf(onOrders ...v1alpha1.RelationPrivilege) v1alpha1.Grant {
	return v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: Database, Relations: []v1alpha1.RelationGrant{
		{Schema: "public", Name: "customers", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
		{Schema: "public", Name: "orders", Privileges: onOrders},
	}}}
}

// EditPolicy changes a policy of the domain as its author would.
func (d *Domain) EditPolicy(t testing.TB, name, mergePatch string) {
	t.Helper()
	d.Administrator.Kubectl(t, "patch", "apol", name, "-n", d.Namespace, "--type=merge", "-p", mergePatch)
}

// LeftOf lists what is left of a task in the proxies' namespace.
func (d *Domain) LeftOf(t testing.TB, uid string) []string {
	t.Helper()
	out := d.Administrator.Kubectl(t, "get", "pod,service,serviceaccount,networkpolicy,role,rolebinding",
		"-n", v1alpha1.ProxyNamespace, "-l", v1alpha1.LabelRequestUID+"="+uid, "-o", "name")
	return strings.Fields(out)
}
