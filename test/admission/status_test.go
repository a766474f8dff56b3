package admission_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/internal/apitest"
)

func TestREV6_OnlyTheManagerWritesStatus(t *testing.T) {
	t.Parallel()
	c := start(t)
	made := map[string]func(*testing.T, string) client.Object{
		"AccessTarget": func(t *testing.T, namespace string) client.Object {
			target := newTarget(namespace)
			must(t, c.Client.Create(testContext(t), target))
			return target
		},
		"AccessPolicy": func(t *testing.T, namespace string) client.Object {
			policy := newPolicy(namespace)
			must(t, c.Client.Create(testContext(t), policy))
			return policy
		},
		"TaskAccessRequest": func(t *testing.T, namespace string) client.Object { return c.openRequest(t, namespace) },
		"ApprovalReview":    func(t *testing.T, namespace string) client.Object { return c.openReview(t, namespace) },
	}
	writers := map[string]func(*testing.T, client.Client, client.Object) error{
		"by patch": func(t *testing.T, acting client.Client, object client.Object) error {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"observedGeneration":7}}`))
			return acting.Status().Patch(testContext(t), object, patch)
		},
		"by update": func(t *testing.T, acting client.Client, object client.Object) error {
			return acting.Status().Update(testContext(t), object)
		},
		"by server-side apply": func(t *testing.T, acting client.Client, object client.Object) error {
			applied := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"observedGeneration": int64(7)}}}
			kind, err := acting.GroupVersionKindFor(object)
			must(t, err)
			applied.SetGroupVersionKind(kind)
			applied.SetNamespace(object.GetNamespace())
			applied.SetName(object.GetName())
			return acting.Status().Apply(testContext(t), client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("x"), client.ForceOwnership)
		},
	}
	const refused = "status is what the operator found and decided"
	for kind, make := range made {
		for how, write := range writers {
			for name, test := range map[string]struct {
				who  rest.ImpersonationConfig
				want string
			}{
				"the manager":                 {manager, ""},
				"a namespace administrator":   {mallory, refused},
				"a cluster administrator":     {admin, refused},
				"another namespace's manager": {otherManager, refused},
				"the requester":               {bob, "cannot"},
			} {
				t.Run(name+" writes that of "+kind+" "+how, func(t *testing.T) {
					t.Parallel()
					object := make(t, c.Namespace(t.Context(), t))
					apitest.Judge(t, write(t, c.as(test.who), object), test.want)
				})
			}
		}
	}
}

// The status does not ride on a change of the object itself.
func TestREV6_AStatusSentWithTheObjectIsDropped(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.openRequest(t, c.Namespace(t.Context(), t))
	must(t, jsonPatch(t, c.as(bob), request, addNote, `{"op":"add","path":"/status","value":{"review":"approved-by-myself"}}`))
	must(t, c.Client.Get(testContext(t), client.ObjectKeyFromObject(request), request))
	if request.Status.Review != "" {
		t.Errorf("status.review is %q, want nothing", request.Status.Review)
	}
}
