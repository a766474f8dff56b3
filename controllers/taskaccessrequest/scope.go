package taskaccessrequest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
)

// scope is one pass over one request: what gather read, and the status that the
// phases draft. Phases derive from what was read, never from earlier conditions.
type scope struct {
	now     time.Time
	request *v1alpha1.TaskAccessRequest
	status  v1alpha1.TaskAccessRequestStatus

	// policies are all of the namespace; read only while no review is open.
	policies []v1alpha1.AccessPolicy
	// policy and target are those that the request is bound to, or nil.
	policy *v1alpha1.AccessPolicy
	target *v1alpha1.AccessTarget
	review *v1alpha1.ApprovalReview
	pod    *corev1.Pod
}

// bound says that a review is open or has been: the match is latched.
func (s *scope) bound() bool { return s.review != nil }

func (s *scope) uid() string { return string(s.request.UID) }

// set drafts a condition.
func (s *scope) set(condition string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: wording.Fit(message, wording.Condition),
		ObservedGeneration: s.request.Generation, LastTransitionTime: metav1.NewTime(s.now),
	})
}

// state drafts Ready, whose reason is the state in one word.
func (s *scope) state(reason, message string) {
	ready := metav1.ConditionFalse
	if reason == v1alpha1.ReasonActive {
		ready = metav1.ConditionTrue
	}
	s.set(v1alpha1.ConditionReady, ready, reason, message)
}
