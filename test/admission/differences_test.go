package admission_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/config/admission"
)

// defaulted is a policy as the API server would store it, defaults filled in.
func (c *cluster) defaulted(t *testing.T, want *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	copied := want.DeepCopy()
	copied.SetName("dry-run-" + want.GetName())
	must(t, c.Client.Create(testContext(t), copied, client.DryRunAll))
	return copied
}

func objects(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	list, err := admission.Objects()
	must(t, err)
	named := map[string]*unstructured.Unstructured{}
	for _, object := range list {
		named[object.GetKind()+"/"+object.GetName()] = object
	}
	return named
}

func TestREV6_WhatIsInstalledDiffersInNothing(t *testing.T) {
	t.Parallel()
	c := start(t)
	if got := len(objects(t)); got != 18 {
		t.Errorf("%d policies and bindings, want 18", got)
	}
	for name, want := range objects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if found := admission.Differences(c.defaulted(t, want), want); len(found) > 0 {
				t.Errorf("differs as installed:\n%s", strings.Join(found, "\n"))
			}
		})
	}
}

func TestREV6_AWeakenedPolicyIsSeen(t *testing.T) {
	t.Parallel()
	c := start(t)
	const (
		policy  = "ValidatingAdmissionPolicy/sallyport-review-update"
		binding = "ValidatingAdmissionPolicyBinding/sallyport-review-update"
		stamp   = "MutatingAdmissionPolicy/sallyport-requester"
	)
	set := func(value any, path ...string) func(map[string]any) error {
		return func(object map[string]any) error { return unstructured.SetNestedField(object, value, path...) }
	}
	first := func(list string, key string, value any) func(map[string]any) error {
		return func(object map[string]any) error {
			items, _, err := unstructured.NestedSlice(object, "spec", list)
			if err != nil {
				return err
			}
			items[0].(map[string]any)[key] = value
			return unstructured.SetNestedSlice(object, items, "spec", list)
		}
	}
	selector := map[string]any{"matchLabels": map[string]any{"strict": "true"}}
	for name, test := range map[string]struct {
		object string
		weaken func(map[string]any) error
		want   string
	}{
		"it fails open":              {policy, set("Ignore", "spec", "failurePolicy"), "spec.failurePolicy was changed"},
		"it skips some namespaces":   {policy, set(selector, "spec", "matchConstraints", "namespaceSelector"), "spec.matchConstraints.namespaceSelector was added"},
		"it matches exactly only":    {policy, set("Exact", "spec", "matchConstraints", "matchPolicy"), "spec.matchConstraints.matchPolicy was added"},
		"it has exceptions":          {policy, set([]any{map[string]any{"name": "not-mallory", "expression": "false"}}, "spec", "matchConditions"), "spec.matchConditions was added"},
		"it leaves resources out":    {policy, set([]any{map[string]any{"apiGroups": []any{"*"}}}, "spec", "matchConstraints", "excludeResourceRules"), "excludeResourceRules was added"},
		"it has parameters":          {policy, set(map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}, "spec", "paramKind"), "spec.paramKind was added"},
		"a validation always passes": {policy, first("validations", "expression", "true"), "spec.validations[0].expression was changed"},
		"a variable lies":            {policy, first("variables", "expression", "true"), "spec.variables[0].expression was changed"},
		"validations are fewer":      {policy, set([]any{}, "spec", "validations"), "spec.validations was changed"},
		"it only warns":              {binding, set([]any{"Warn"}, "spec", "validationActions"), "spec.validationActions[0] was changed"},
		"it only audits as well":     {binding, set([]any{"Deny", "Audit"}, "spec", "validationActions"), "spec.validationActions was changed"},
		"it binds another policy":    {binding, set("other", "spec", "policyName"), "spec.policyName was changed"},
		"it is bound to few":         {binding, set(map[string]any{"namespaceSelector": selector}, "spec", "matchResources"), "spec.matchResources was added"},
		"the stamp is another's":     {stamp, first("mutations", "patchType", "ApplyConfiguration"), "spec.mutations[0].patchType was changed"},
		"a field nobody knows":       {policy, set(true, "spec", "unheardOf"), "spec.unheardOf was added"},
		"a field is gone": {policy, func(object map[string]any) error {
			unstructured.RemoveNestedField(object, "spec", "failurePolicy")
			return nil
		}, "spec.failurePolicy is missing"},
		"it is on its way out": {policy, set("2030-01-01T00:00:00Z", "metadata", "deletionTimestamp"), "is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := objects(t)[test.object]
			weakened := c.defaulted(t, want)
			must(t, test.weaken(weakened.Object))
			found := admission.Differences(weakened, want)
			if len(found) != 1 || !strings.Contains(found[0], test.want) {
				t.Errorf("differences %q, want one that says %q", found, test.want)
			}
		})
	}
}

func TestREV6_ARemovedPolicyIsSeen(t *testing.T) {
	t.Parallel()
	for name, want := range objects(t) {
		found := admission.Differences(nil, want)
		if len(found) != 1 || !strings.HasSuffix(found[0], "is not installed") {
			t.Errorf("%s: differences %q, want that it is not installed", name, found)
		}
	}
}

// A field that is added to the schema must be added to what only the requester changes.
func TestREV6_ThePolicyNamesEveryFieldOfARequestsSpec(t *testing.T) {
	t.Parallel()
	c := start(t)
	crds, err := c.Render("config", "crd")
	must(t, err)
	named := func(object *unstructured.Unstructured) bool {
		return strings.HasPrefix(object.GetName(), "taskaccessrequests.")
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(crds[slices.IndexFunc(crds, named)].Object, definition))
	spec := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]

	policy := objects(t)["ValidatingAdmissionPolicy/sallyport-request-update"]
	variables, _, err := unstructured.NestedSlice(policy.Object, "spec", "variables")
	must(t, err)
	var expression string
	for _, variable := range variables {
		if variable.(map[string]any)["name"] == "onlyState" {
			expression = variable.(map[string]any)["expression"].(string)
		}
	}
	var missing []string
	for _, field := range slices.Sorted(maps.Keys(spec.Properties)) {
		plain := "object.spec." + field + " == oldObject.spec." + field
		if !strings.Contains(expression, plain) && !strings.Contains(expression, strings.ReplaceAll(plain, "spec.", "spec.?")) {
			missing = append(missing, field)
		}
	}
	if diff := cmp.Diff([]string{"state"}, missing); diff != "" {
		t.Errorf("fields that variable onlyState leaves out (-want +got):\n%s", diff)
	}
}
