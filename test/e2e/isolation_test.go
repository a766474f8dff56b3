package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestLIFE5_WhoIsInsideAProxyReachesItsTargetAndTheManagerAlone(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	other := d.Ask(t, d.Bob, "pay-2", harness.TypeRead)
	other.AwaitProxy(t)
	if condition := harness.Condition(task.Get(t), v1alpha1.ConditionIsolated); condition != metav1.ConditionTrue {
		t.Errorf("Isolated is %s", condition)
	}

	// A proxy has no shell: a pod with a proxy's labels stands where it does.
	spy := harness.Pod(v1alpha1.ProxyNamespace)
	spy.Labels = task.Pod(t).Labels
	apiServer := harness.Get(t, d.Cluster, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}}).Spec.ClusterIP
	endpoints := d.Administrator.Kubectl(t, "get", "endpointslice", "-n", "default", "kubernetes", "-o", "jsonpath={.endpoints[0].addresses[0]}:{.ports[0].port}")
	reader := harness.Get(t, d.Cluster, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: "sallyport-reader"}}).Spec.ClusterIP
	control := harness.Get(t, d.Cluster, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.OperatorNamespace, Name: "sallyport-control"}}).Spec.ClusterIP
	kept := []string{apiServer + ":443", endpoints, reader + ":443", other.Pod(t).Status.PodIP + ":5432", d.Postgres.Host + ":22"}
	reached := []string{fmt.Sprintf("%s:%d", d.Postgres.Host, d.Postgres.Port), control + ":8443"}
	spy.Spec.Containers[0].Args = append(append([]string{"dial"}, kept...), reached...)
	saw := d.Run(t, spy)
	for _, address := range kept {
		says(t, saw, address+" kept away")
	}
	for _, address := range reached {
		says(t, saw, address+" reached")
	}
}

func TestOnlyTheRequestsOwnNamespaceReachesItsProxysService(t *testing.T) {
	t.Parallel()
	cluster := harness.Open(t)
	d, stranger := cluster.Domain(t), cluster.Domain(t)
	task := d.Ask(t, d.Bob, "pay-1", harness.TypeRead)
	task.AwaitProxy(t)
	service := harness.Get(t, cluster, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(task.UID)}})
	address := service.Spec.ClusterIP + ":5432"
	says(t, cluster.Run(t, harness.Pod(d.Namespace, "dial", address)), address+" reached")
	says(t, cluster.Run(t, harness.Pod(stranger.Namespace, "dial", address)), address+" kept away")
}
