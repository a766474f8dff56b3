package taskaccessrequest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/control"
)

// isolationOf puts a proxy's finding in a condition, tied to the very pod that
// found it: a replaced pod has to look again.
func isolationOf(report control.Report, podUID string) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionIsolated, Status: metav1.ConditionFalse, Reason: "APIServerReachable",
		Message: isolationPrefix(podUID) + wording.Fit(report.Isolation, 512),
	}
	if report.Isolated {
		condition.Status, condition.Reason = metav1.ConditionTrue, "APIServerUnreachable"
	}
	return condition
}

func isolationPrefix(podUID string) string { return "pod " + podUID + ": " }

// isolation says why a policy's wish for isolation is not met; an empty reason
// means that it is.
func isolation(wanted v1alpha1.Isolation, conditions []metav1.Condition, pod *corev1.Pod) (reason, message string) {
	if wanted == v1alpha1.IsolationReported {
		return "", ""
	}
	found := meta.FindStatusCondition(conditions, v1alpha1.ConditionIsolated)
	if found == nil || pod == nil || !strings.HasPrefix(found.Message, isolationPrefix(string(pod.UID))) {
		return "IsolationUnknown", "waits for the proxy to say whether it is isolated"
	}
	if found.Status != metav1.ConditionTrue {
		return "NotIsolated", "the policy requires isolation, and NetworkPolicy is not enforced here: " + found.Message
	}
	return "", ""
}
