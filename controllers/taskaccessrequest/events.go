package taskaccessrequest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
)

// trouble are the reasons that deserve a warning.
var trouble = map[string]bool{
	v1alpha1.ReasonNoPolicy: true, v1alpha1.ReasonAmbiguous: true, v1alpha1.ReasonDenied: true,
	v1alpha1.ReasonVoid: true, v1alpha1.ReasonUnreachable: true, v1alpha1.ReasonAbandoned: true,
}

// announce says in an event each condition whose status or reason is new; the
// event's reason is the condition's.
func (r *Reconciler) announce(request *v1alpha1.TaskAccessRequest, before, after []metav1.Condition) {
	for _, condition := range after {
		old := meta.FindStatusCondition(before, condition.Type)
		if old != nil && old.Status == condition.Status && old.Reason == condition.Reason {
			continue
		}
		kind := corev1.EventTypeNormal
		if trouble[condition.Reason] {
			kind = corev1.EventTypeWarning
		}
		r.Events.Eventf(request, nil, kind, condition.Reason, condition.Type, "%s", wording.Fit(condition.Message, wording.Event))
	}
}
