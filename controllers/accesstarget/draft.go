package accesstarget

import (
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/target"
)

// Reasons of Reachable and CredentialWorks.
const (
	reasonAnswers  = "Answers"
	reasonWorks    = "Works"
	reasonRefused  = "Refused"
	reasonNotTried = "NotTried"
	reasonFailed   = "ProbeFailed"
)

// draft is the status that follows from what was found. Conditions that are not
// ours stay out of it.
func draft(object *v1alpha1.AccessTarget, f found, now time.Time) v1alpha1.AccessTargetStatus {
	status := v1alpha1.AccessTargetStatus{
		ObservedGeneration: object.Generation,
		Addresses:          f.addresses,
		ServerVersion:      f.findings.ServerVersion,
		PublicGrants:       f.findings.PublicGrants,

		CertificateAuthority: f.authority,
	}
	if endpoint, ok := target.EndpointOf(object.Spec); ok {
		status.Protocol, status.Credential = endpoint.Protocol, endpoint.Type
	}
	// The times of the last transitions are kept where nothing changed.
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReachable, v1alpha1.ConditionCredentialWorks} {
		if before := meta.FindStatusCondition(object.Status.Conditions, kind); before != nil {
			status.Conditions = append(status.Conditions, *before)
		}
	}
	for _, condition := range judge(object, f) {
		condition.ObservedGeneration, condition.LastTransitionTime = object.Generation, metav1.NewTime(now)
		condition.Message = wording.Fit(condition.Message, wording.Condition)
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	return status
}

// judge turns what was found into Reachable, CredentialWorks and Ready, in this order.
func judge(object *v1alpha1.AccessTarget, f found) []metav1.Condition {
	conditions := func(reachable, works metav1.ConditionStatus, ready metav1.ConditionStatus, reason, message string) []metav1.Condition {
		because := map[metav1.ConditionStatus]string{metav1.ConditionUnknown: reasonNotTried, metav1.ConditionFalse: reason}
		reasons := func(status metav1.ConditionStatus, good string) string {
			if status == metav1.ConditionTrue {
				return good
			}
			return because[status]
		}
		said := func(status metav1.ConditionStatus) string {
			if status == metav1.ConditionFalse {
				return message
			}
			return ""
		}
		return []metav1.Condition{
			{Type: v1alpha1.ConditionReachable, Status: reachable, Reason: reasons(reachable, reasonAnswers), Message: said(reachable)},
			{Type: v1alpha1.ConditionCredentialWorks, Status: works, Reason: reasons(works, reasonWorks), Message: said(works)},
			{Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: message},
		}
	}
	const yes, no, unknown = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	var refusal *target.Error
	switch {
	case f.err == nil && f.findings.Unsafe != "":
		return conditions(yes, unknown, no, v1alpha1.ReasonUnsafe, "the target "+f.findings.Unsafe)
	case f.err == nil:
		return conditions(yes, yes, yes, v1alpha1.ReasonReady, readyMessage(object))
	case errors.As(f.err, &refusal) && refusal.Reason == v1alpha1.ReasonUnreachable:
		return conditions(no, unknown, no, refusal.Reason, refusal.Message)
	case errors.As(f.err, &refusal):
		return conditions(unknown, unknown, no, refusal.Reason, refusal.Message)
	case errors.Is(f.err, credential.ErrUnreachable):
		return conditions(no, unknown, no, v1alpha1.ReasonUnreachable, f.err.Error())
	case errors.Is(f.err, credential.ErrAdministrator):
		return conditions(yes, no, no, reasonRefused, f.err.Error())
	case errors.Is(f.err, credential.ErrUnsupported):
		return conditions(unknown, unknown, no, v1alpha1.ReasonUnsupported, f.err.Error())
	}
	return conditions(unknown, unknown, no, reasonFailed, f.err.Error())
}

// readyMessage says what of a good target deserves to be known.
func readyMessage(object *v1alpha1.AccessTarget) string {
	endpoint, _ := target.EndpointOf(object.Spec)
	message := "the target answers and its administrator's credential works"
	if endpoint.Type == v1alpha1.CredentialCertificate {
		message = "the target answers and takes certificates of its authority"
	}
	if postgres := object.Spec.Postgres; postgres != nil && postgres.TLS.Mode == v1alpha1.PostgresTLSDisable {
		message += "; connections to it are not encrypted"
	}
	if endpoint.Type == v1alpha1.CredentialStatic {
		message += "; tasks share a standing login, which remains when they close"
	}
	return message
}
