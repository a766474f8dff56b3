package admission_test

import (
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

// file is the one object of a file of the repository.
func (c *cluster) file(t *testing.T, path ...string) *unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(apitest.Root(path...))
	must(t, err)
	objects, err := apitest.Objects(content)
	must(t, err)
	if len(objects) != 1 {
		t.Fatalf("%v holds %d objects, want one", path, len(objects))
	}
	return objects[0]
}

// may asks the API server's authoriser.
func (c *cluster) may(t *testing.T, user string, groups []string, verb, group, resource, namespace, name string) bool {
	t.Helper()
	attributes := &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Namespace: namespace, Name: name}
	attributes.Resource = resource
	for i := range resource {
		if resource[i] == '/' {
			attributes.Resource, attributes.Subresource = resource[:i], resource[i+1:]
		}
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: groups, ResourceAttributes: attributes,
	}}
	must(t, c.Client.Create(testContext(t), review))
	return review.Status.Allowed
}

// await waits until somebody may do something with one of our kinds.
func (c *cluster) await(t *testing.T, user string, groups []string, verb, resource, namespace, name string) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for ctx := testContext(t); !c.may(t, user, groups, verb, v1alpha1.GroupName, resource, namespace, name); {
		select {
		case <-ctx.Done():
			t.Fatalf("%s may not %s %s/%s in %s", user, verb, resource, name, namespace)
		case <-ticker.C:
		}
	}
}

func TestTheAPIServerTakesEveryObjectOfBothInstallations(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, folder := range []string{"default", "default-validating-only"} {
		rendered, err := c.Render("config", folder)
		must(t, err)
		for _, object := range rendered {
			t.Run(folder+"/"+object.GetKind()+" "+object.GetName(), func(t *testing.T) {
				t.Parallel()
				must(t, c.apply(testContext(t), object, client.DryRunAll))
			})
		}
	}
}

// Pod Security refuses pods, not deployments: it is asked about the pods themselves.
func TestOurPodsPassTheRestrictedProfile(t *testing.T) {
	t.Parallel()
	c := start(t)
	rendered, err := c.Render("config", "default")
	must(t, err)
	tried := 0
	for _, object := range rendered {
		if object.GetKind() != "Deployment" {
			continue
		}
		tried++
		var deployment appsv1.Deployment
		must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &deployment))
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "trial-", Namespace: deployment.Namespace, Labels: deployment.Spec.Template.Labels},
			Spec:       deployment.Spec.Template.Spec,
		}
		must(t, c.Client.Create(testContext(t), pod, client.DryRunAll))

		pod = pod.DeepCopy()
		pod.ResourceVersion, pod.UID = "", ""
		pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
		apitest.Judge(t, c.Client.Create(testContext(t), pod, client.DryRunAll), `violates PodSecurity "restricted`)
	}
	if tried != 2 {
		t.Errorf("tried %d deployments, want manager and reader", tried)
	}
}
