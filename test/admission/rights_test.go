package admission_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/manifest"
)

// role is a Role or ClusterRole as the installation renders it.
type role struct {
	name, namespace string
	rules           []rbacv1.PolicyRule
}

func (r role) String() string {
	if r.namespace == "" {
		return "ClusterRole " + r.name
	}
	return "Role " + r.namespace + "/" + r.name
}

func roles(t *testing.T) []role {
	t.Helper()
	rendered, err := start(t).Render("config", "default")
	must(t, err)
	var found []role
	for _, object := range rendered {
		if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
			continue
		}
		var decoded rbacv1.ClusterRole
		must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &decoded))
		if decoded.AggregationRule != nil {
			t.Errorf("%s aggregates rules that nobody has read", object.GetName())
		}
		found = append(found, role{object.GetName(), object.GetNamespace(), decoded.Rules})
	}
	if len(found) < 10 {
		t.Fatalf("found %d roles, want all of them", len(found))
	}
	return found
}

func TestOP1_NoRoleHasAWildcard(t *testing.T) {
	t.Parallel()
	for _, role := range roles(t) {
		for _, rule := range role.rules {
			for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs, rule.ResourceNames} {
				if slices.ContainsFunc(list, func(s string) bool { return s == "*" || s == "*/*" }) {
					t.Errorf("%s: wildcard in %v", role, rule)
				}
			}
		}
	}
}

func TestOP1_NoRoleReachesSecretsOfTheWholeCluster(t *testing.T) {
	t.Parallel()
	for _, role := range roles(t) {
		for _, rule := range role.rules {
			if role.namespace == "" && slices.Contains(rule.Resources, "secrets") {
				t.Errorf("%s: Secrets of every namespace in %v", role, rule)
			}
			// In the operator's and the proxies' namespaces, a Secret is read by name.
			if role.namespace != "" && role.namespace != v1alpha1.TargetNamespace && slices.Contains(rule.Resources, "secrets") &&
				len(rule.ResourceNames) == 0 && !slices.Equal(rule.Verbs, []string{"create"}) {
				t.Errorf("%s: unnamed Secrets in %v", role, rule)
			}
		}
	}
}

func TestOP1_NoRoleEscalatesBindsOrImpersonates(t *testing.T) {
	t.Parallel()
	forbidden := []string{"escalate", "bind", "impersonate", "approve", "sign"}
	for _, role := range roles(t) {
		for _, rule := range role.rules {
			for _, verb := range rule.Verbs {
				if slices.Contains(forbidden, verb) {
					t.Errorf("%s: verb %s in %v", role, verb, rule)
				}
			}
			for _, resource := range []string{"clusterroles", "clusterrolebindings", "serviceaccounts/token", "nodes/proxy", "pods/exec", "pods/attach", "pods/ephemeralcontainers"} {
				if slices.Contains(rule.Resources, resource) {
					t.Errorf("%s: resource %s in %v", role, resource, rule)
				}
			}
		}
	}
}

// Our own verbs are given policy by policy and in a namespace; of the roles that we
// ship, only those that are called so close and hold, and the manager has none of them.
func TestOP1_OnlyTheCloserAndTheHolderHaveOneOfOurVerbs(t *testing.T) {
	t.Parallel()
	found := map[string][]string{}
	for _, role := range roles(t) {
		for _, rule := range role.rules {
			for _, verb := range []string{v1alpha1.VerbUse, v1alpha1.VerbReview, v1alpha1.VerbClose, v1alpha1.VerbAbandon, v1alpha1.VerbHold} {
				if slices.Contains(rule.Verbs, verb) {
					found[role.String()] = append(found[role.String()], verb)
				}
			}
		}
	}
	if diff := cmp.Diff(map[string][]string{"ClusterRole sallyport-closer": {"close"}, "ClusterRole sallyport-recording-holder": {"hold"}}, found); diff != "" {
		t.Errorf("our verbs by role (-want +got):\n%s", diff)
	}
}

func TestREV6_TheManagerMayReadExactlyItsAdmissionPolicies(t *testing.T) {
	t.Parallel()
	want, got := map[string]bool{}, map[string]bool{}
	plural := map[string]string{
		"MutatingAdmissionPolicy":          "mutatingadmissionpolicies",
		"MutatingAdmissionPolicyBinding":   "mutatingadmissionpolicybindings",
		"ValidatingAdmissionPolicy":        "validatingadmissionpolicies",
		"ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
	}
	for _, object := range objects(t) {
		want[plural[object.GetKind()]+"/"+object.GetName()] = true
	}
	for _, role := range roles(t) {
		for _, rule := range role.rules {
			if !slices.Contains(rule.APIGroups, "admissionregistration.k8s.io") {
				continue
			}
			if !slices.Equal(rule.Verbs, []string{"get"}) {
				t.Errorf("%s may %v admission policies, want get alone", role, rule.Verbs)
			}
			for _, resource := range rule.Resources {
				for _, name := range rule.ResourceNames {
					got[resource+"/"+name] = true
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies that the manager may read (-want +got):\n%s", diff)
	}
}

// RBAC lets nobody give what they have not: that is what confines the manager here.
func TestOP1_TheManagerGivesTheWayToAProxyAndNothingElse(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.openRequest(t, c.Namespace(t.Context(), t))
	acting := c.as(manager)
	must(t, acting.Create(testContext(t), manifest.Role(request)))
	must(t, acting.Create(testContext(t), manifest.RoleBinding(request)))

	for name, rule := range map[string]rbacv1.PolicyRule{
		"secrets":           {APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}},
		"exec into proxies": {APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create"}},
		"logs of proxies":   {APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
		"everything":        {APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := &rbacv1.Role{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "too-much-", Namespace: v1alpha1.ProxyNamespace},
				Rules:      []rbacv1.PolicyRule{rule},
			}
			apitest.Judge(t, acting.Create(testContext(t), role), "attempting to grant RBAC permissions not currently held")
		})
	}
	t.Run("a role of the cluster", func(t *testing.T) {
		t.Parallel()
		binding := manifest.RoleBinding(request)
		binding.Name = "too-much"
		binding.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}
		apitest.Judge(t, acting.Create(testContext(t), binding), "attempting to grant RBAC permissions not currently held")
	})
}

func TestOP1_TheManagerMayDoItsWorkAndNoMore(t *testing.T) {
	t.Parallel()
	c := start(t)
	const ours, core, rbac = v1alpha1.GroupName, "", rbacv1.GroupName
	type ask struct{ verb, group, resource, namespace, name string }
	for _, test := range []struct {
		ask
		want bool
	}{
		{ask{"watch", ours, "taskaccessrequests", "payments", ""}, true},
		{ask{"patch", ours, "taskaccessrequests", "payments", "x"}, true},
		{ask{"patch", ours, "taskaccessrequests/status", "payments", "x"}, true},
		{ask{"create", ours, "taskaccessrequests", "payments", ""}, false},
		{ask{"delete", ours, "taskaccessrequests", "payments", "x"}, false},
		{ask{"create", ours, "approvalreviews", "payments", ""}, true},
		{ask{"patch", ours, "accesspolicies", "payments", "x"}, false},
		{ask{"create", "events.k8s.io", "events", "payments", ""}, true},
		{ask{"get", core, "secrets", v1alpha1.TargetNamespace, "payments.orders"}, true},
		{ask{"update", core, "secrets", v1alpha1.TargetNamespace, "payments.orders"}, false},
		{ask{"get", core, "secrets", v1alpha1.OperatorNamespace, "sallyport-root-keys"}, true},
		{ask{"get", core, "secrets", v1alpha1.OperatorNamespace, "other"}, false},
		{ask{"list", core, "secrets", v1alpha1.OperatorNamespace, ""}, false},
		{ask{"get", core, "secrets", v1alpha1.ProxyNamespace, "sallyport-reader-tls"}, true},
		{ask{"get", core, "secrets", v1alpha1.ProxyNamespace, "sallyport-store-nobody-gave"}, false},
		{ask{"list", core, "secrets", v1alpha1.ProxyNamespace, ""}, false},
		{ask{"update", core, "configmaps", v1alpha1.ProxyNamespace, "recordings-x"}, true},
		{ask{"get", core, "configmaps", "payments", "x"}, false},
		{ask{"get", core, "configmaps", v1alpha1.OperatorNamespace, "x"}, false},
		{ask{"hold", ours, "taskaccessrequests/recording", "payments", "x"}, false},
		{ask{"get", ours, "taskaccessrequests/recording", "payments", "x"}, false},
		{ask{"get", core, "secrets", "payments", "any"}, false},
		{ask{"get", core, "secrets", "kube-system", "any"}, false},
		{ask{"create", core, "pods", v1alpha1.ProxyNamespace, ""}, true},
		{ask{"create", core, "pods", v1alpha1.OperatorNamespace, ""}, false},
		{ask{"create", core, "pods", "payments", ""}, false},
		{ask{"create", rbac, "rolebindings", "payments", ""}, false},
		{ask{"create", rbac, "clusterrolebindings", "", ""}, false},
		{ask{"update", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "sallyport-status"}, false},
		{ask{"patch", "apiregistration.k8s.io", "apiservices", "", "v1alpha1.subresources.access.sallyport.dev"}, true},
		{ask{"patch", "apiregistration.k8s.io", "apiservices", "", "v1.apps"}, false},
		{ask{"update", "coordination.k8s.io", "leases", v1alpha1.OperatorNamespace, "sallyport-manager"}, true},
		{ask{"update", "coordination.k8s.io", "leases", "kube-system", "kube-scheduler"}, false},
	} {
		t.Run(fmt.Sprintf("%v", test.ask), func(t *testing.T) {
			t.Parallel()
			a := test.ask
			if got := c.may(t, manager.UserName, nil, a.verb, a.group, a.resource, a.namespace, a.name); got != test.want {
				t.Errorf("the manager may: %v, want %v", got, test.want)
			}
		})
	}
}

// The samples are what the README has people apply.
func TestTheSamplesApplyAndMean(t *testing.T) {
	t.Parallel()
	c := start(t)
	samples, err := c.Render("config", "samples")
	must(t, err)
	for _, object := range samples {
		must(t, c.apply(testContext(t), object))
	}
	request := c.file(t, "config", "samples", "request.yaml")
	bobApplies := c.as(bob)
	c.await(t, bob.UserName, bob.Groups, "create", "taskaccessrequests", "payments", "")
	must(t, bobApplies.Create(testContext(t), request))
	if name, _, _ := unstructured.NestedString(request.Object, "spec", "requester", "username"); name != "bob" {
		t.Errorf("the requester is %q, want bob", name)
	}
	for _, policy := range []string{"orders-read", "orders-fix", "orders-cleanup"} {
		c.await(t, "bob", bob.Groups, v1alpha1.VerbUse, "accesspolicies", "payments", policy)
		c.await(t, "alice", alice.Groups, v1alpha1.VerbReview, "accesspolicies", "payments", policy)
		c.await(t, "carol", nil, v1alpha1.VerbReview, "accesspolicies", "payments", policy)
	}
	c.await(t, "alice", nil, v1alpha1.VerbClose, "taskaccessrequests", "payments", "pay-1423")
	c.await(t, "alice", nil, "get", "taskaccessrequests/recording", "payments", "pay-1423")
	if c.may(t, "bob", bob.Groups, "get", v1alpha1.GroupName, "taskaccessrequests/recording", "payments", "pay-1423") {
		t.Error("bob may replay, which the samples give to alice alone")
	}
	if c.may(t, "alice", alice.Groups, v1alpha1.VerbUse, v1alpha1.GroupName, "accesspolicies", "payments", "orders-fix") {
		t.Error("alice may use a policy that the samples give to engineering")
	}
	must(t, client.IgnoreNotFound(c.as(bob).Delete(testContext(t), request)))
}
