package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// A pipeline is a service account: it asks with its own token, and logs in with one
// whose audience is this very request, from a pod, through the Service.
func TestAPipelineAsksAsItsServiceAccountAndLogsInWithATokenForThisTaskAlone(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	pipeline := d.Pipeline(t, "deploy")
	task := d.Ask(t, pipeline, "pay-1", harness.TypeRead)
	requester := task.Get(t).Spec.Requester
	if want := "system:serviceaccount:" + d.Namespace + ":deploy"; requester.Username != want || requester.UID == "" {
		t.Errorf("the requester is %+v", requester)
	}
	task.Approve(t, d.Alice)
	task.AwaitState(t, v1alpha1.ReasonActive)
	other := d.Granted(t, pipeline, "pay-2", harness.TypeRead)

	login := func(account, audience string) string {
		endpoint := task.Get(t).Status.Endpoint
		conninfo := fmt.Sprintf("host=%s.%s.svc port=%d user=%s dbname=%s sslmode=require",
			endpoint.Service, endpoint.Namespace, endpoint.Port, requester.Username, endpoint.Database)
		pod := harness.Pod(d.Namespace, "query", conninfo, "SELECT current_user || ' read ' || count(*) FROM orders")
		pod.Spec.ServiceAccountName = account
		pod.Spec.Volumes = []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, Path: "token"}}},
		}}}}
		pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "token", MountPath: "/token", ReadOnly: true}}
		return d.Run(t, pod)
	}
	says(t, login("deploy", "sallyport/"+task.UID), "answer: "+task.Role(t)+" read 5000")
	// A token for another task, one for the API server, and one of somebody else.
	for _, refused := range []string{
		login("deploy", "sallyport/"+other.UID), login("deploy", ""), login("default", "sallyport/"+task.UID),
	} {
		says(t, refused, "28")
		doesNotSay(t, refused, "answer:")
	}
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	says(t, task.Replay(t), requester.Username)
}
