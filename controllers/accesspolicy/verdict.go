package accesspolicy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/policy"
)

// verdict says whether a policy can be enforced here, in the words of Ready. unusable is
// why its recordings have no place to go, or empty.
func verdict(p *v1alpha1.AccessPolicy, unusable string) (status metav1.ConditionStatus, reason, message string) {
	_, err := policy.Compile(p.Name, p.Spec)
	unsupported := &policy.UnsupportedError{}
	switch {
	case errors.As(err, &unsupported):
		return metav1.ConditionFalse, v1alpha1.ReasonUnsupported, err.Error()
	case err != nil:
		return metav1.ConditionFalse, v1alpha1.ReasonInvalid, err.Error()
	case unusable != "":
		return metav1.ConditionFalse, v1alpha1.ReasonUnsupported, unusable
	}
	return metav1.ConditionTrue, v1alpha1.ReasonReady, ready(p.Spec)
}

// ready says what a policy that compiles has its author know.
func ready(spec v1alpha1.AccessPolicySpec) string {
	if !policy.Holds(spec) {
		return "compiled"
	}
	var held, seats []string
	for _, rule := range spec.Rules {
		if rule.Effect == v1alpha1.EffectHold || rule.Effect == v1alpha1.EffectHoldCommit {
			held = append(held, rule.Name)
		}
	}
	for _, requirement := range policy.HoldRequirements(spec) {
		seats = append(seats, fmt.Sprintf("%d of %s", max(requirement.Count, 1), requirement.Name))
	}
	return fmt.Sprintf("compiled; what %s holds is answered by %s", strings.Join(held, " or "), strings.Join(seats, " and "))
}

// draft is the status that follows from a policy's spec and its store.
func draft(p *v1alpha1.AccessPolicy, unusable string, now time.Time) v1alpha1.AccessPolicyStatus {
	out := *p.Status.DeepCopy()
	out.ObservedGeneration = p.Generation
	out.Digest = digest.Policy(p)
	status, reason, message := verdict(p, unusable)
	meta.SetStatusCondition(&out.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: wording.Fit(message, maxMessage),
		ObservedGeneration: p.Generation, LastTransitionTime: metav1.NewTime(now),
	})
	return out
}

// maxMessage bounds a condition's message: every error of a policy, within reason.
const maxMessage = 8192
