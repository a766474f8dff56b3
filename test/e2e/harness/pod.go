package harness

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clientImage is test/e2e/client; hack/e2e.sh builds and loads it.
const clientImage = "sallyport.local/e2e-client:dev"

// Pod is a pod that runs test/e2e/client with these arguments once.
func Pod(namespace string, arguments ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "client-"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(65532)), FSGroup: new(int64(65532)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "client", Image: clientImage, ImagePullPolicy: corev1.PullNever, Args: arguments,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// Run runs a pod to its end, and returns what it printed.
func (c *Cluster) Run(t testing.TB, pod *corev1.Pod) string {
	t.Helper()
	c.create(t, pod)
	t.Cleanup(func() {
		c.Administrator.Try(t, "delete", "pod", pod.Name, "-n", pod.Namespace, "--ignore-not-found", "--wait=false", "--grace-period=1")
	})
	Eventually(t, Patience, "the end of pod "+pod.Name, func() (bool, string) {
		if err := c.Admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
			t.Fatal(err)
		}
		over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		return over, fmt.Sprintf("%+v", pod.Status.ContainerStatuses)
	})
	return c.Administrator.Kubectl(t, "logs", pod.Name, "-n", pod.Namespace)
}
