package admission_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

// unstamped marks namespaces in which the mutating policy is not bound: what the
// validating ones do alone, as on an older cluster.
const unstamped = "test.sallyport.dev/unstamped"

// cluster is an API server with config/default applied and the test's people let in.
type cluster struct {
	*apitest.Server
}

var (
	installing sync.Once
	installed  *cluster
	errInstall error
)

func start(t *testing.T) *cluster {
	t.Helper()
	server := apitest.Start(t)
	installing.Do(func() {
		installed = &cluster{server}
		errInstall = installed.install(context.Background())
	})
	if errInstall != nil {
		t.Fatalf("install: %v", errInstall)
	}
	return installed
}

func (c *cluster) install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	objects, err := c.Render("config", "default")
	if err != nil {
		return err
	}
	for _, object := range objects {
		switch object.GetKind() {
		case "APIService":
			// Without a reader behind it, it would only disturb discovery.
			continue
		case "MutatingAdmissionPolicyBinding":
			selector := map[string]any{"matchExpressions": []any{map[string]any{"key": unstamped, "operator": "DoesNotExist"}}}
			if err := unstructured.SetNestedMap(object.Object, selector, "spec", "matchResources", "namespaceSelector"); err != nil {
				return err
			}
		}
		if err := c.apply(ctx, object); err != nil {
			return err
		}
	}
	for _, object := range people() {
		if err := c.Client.Create(ctx, object); err != nil {
			return fmt.Errorf("let people in: %w", err)
		}
	}
	return c.awaitEffect(ctx)
}

func (c *cluster) apply(ctx context.Context, object *unstructured.Unstructured, options ...client.ApplyOption) error {
	options = append(options, client.FieldOwner("test"), client.ForceOwnership)
	if err := c.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), options...); err != nil {
		return fmt.Errorf("apply %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return nil
}

// awaitEffect waits until the API server has taken note of policies and roles. It
// learns of policies and of bindings in order: once the last works, so do the others.
func (c *cluster) awaitEffect(ctx context.Context) error {
	objects, err := apitest.Objects([]byte(sentinel))
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := c.apply(ctx, object); err != nil {
			return err
		}
	}
	last := c.as(erin)
	var refused, stamped, seen error
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "sentinel", Namespace: "default"}}
		refused = c.Client.Create(ctx, probe, client.DryRunAll)
		stamped = c.Client.Create(ctx, newRequest("default"), client.DryRunAll)
		seen = last.List(ctx, &v1alpha1.ApprovalReviewList{}, client.InNamespace("default"))
		return refused != nil && strings.Contains(refused.Error(), "the sentinel works") && stamped == nil && seen == nil, nil
	})
	if err != nil {
		answers := fmt.Sprintf("sentinel: %v; stamp: %v; erin: %v", refused, stamped, seen)
		return fmt.Errorf("policies and roles have no effect: %w (%s)", err, answers)
	}
	return nil
}

const sentinel = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: sentinel}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  validations:
  - {expression: object.metadata.name != "sentinel", message: the sentinel works}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: sentinel}
spec: {policyName: sentinel, validationActions: [Deny]}
`

// people binds the product's own roles to the people of the tests, in every namespace.
// erin comes last: once she may, all may.
func people() []client.Object {
	ours := func(verbs, resources []string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: resources, ResourceNames: names, Verbs: verbs}
	}
	role := func(name string, rules ...rbacv1.PolicyRule) client.Object {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	}
	bind := func(role, kind, name string) client.Object {
		return &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role + "-" + name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}},
		}
	}
	everything := []string{"accesstargets", "accesspolicies", "taskaccessrequests", "approvalreviews"}
	for _, resource := range everything {
		everything = append(everything, resource+"/status")
	}
	return []client.Object{
		role("test-review", ours([]string{"review"}, []string{"accesspolicies"}, "orders-fix")),
		role("test-abandon", ours([]string{"abandon", "patch"}, []string{"taskaccessrequests"})),
		// An administrator of namespaces has every ordinary verb, and none of ours.
		role("test-administrator", ours([]string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}, everything)),
		bind("sallyport-requester", rbacv1.GroupKind, "engineering"),
		bind("sallyport-reviewer", rbacv1.UserKind, bob.UserName),
		bind("test-review", rbacv1.UserKind, bob.UserName),
		bind("sallyport-reviewer", rbacv1.GroupKind, "dba"),
		bind("sallyport-closer", rbacv1.GroupKind, "dba"),
		bind("test-review", rbacv1.GroupKind, "dba"),
		bind("test-abandon", rbacv1.UserKind, dave.UserName),
		bind("test-administrator", rbacv1.UserKind, mallory.UserName),
		// Where controllers have no accounts of their own, their component has their rights.
		bind("system:controller:generic-garbage-collector", rbacv1.UserKind, controllers.UserName),
		bind("sallyport-reviewer", rbacv1.UserKind, erin.UserName),
	}
}
