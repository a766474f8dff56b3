package accesstarget

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	apply "github.com/sallyport/sallyport/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
)

// Two field managers share a target's status: who probes, and who keeps. Neither
// takes a condition of the other's.
const (
	fieldOwner       = "sallyport-manager"
	keeperFieldOwner = "sallyport-target-keeper"
)

// writeStatus applies a draft if it says anything new, under the resource version
// that was read, and says in an event that the state is new.
func (r *Reconciler) writeStatus(ctx context.Context, target *v1alpha1.AccessTarget, draft v1alpha1.AccessTargetStatus) error {
	before := *target.Status.DeepCopy()
	meta.RemoveStatusCondition(&before.Conditions, v1alpha1.ConditionInUse)
	if same(before, draft) {
		return nil
	}
	status := apply.AccessTargetStatus().WithObservedGeneration(draft.ObservedGeneration).
		WithAddresses(draft.Addresses...).WithPublicGrants(draft.PublicGrants...)
	if draft.Protocol != "" {
		status.WithProtocol(draft.Protocol).WithCredential(draft.Credential)
	}
	if draft.ServerVersion != "" {
		status.WithServerVersion(draft.ServerVersion)
	}
	if draft.CertificateAuthority != "" {
		status.WithCertificateAuthority(draft.CertificateAuthority)
	}
	for _, condition := range draft.Conditions {
		status.WithConditions(applyCondition(condition))
	}
	if err := r.applyStatus(ctx, target, status, fieldOwner); err != nil {
		return err
	}
	was, is := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(draft.Conditions, v1alpha1.ConditionReady)
	if was == nil || was.Reason != is.Reason {
		kind := corev1.EventTypeNormal
		if is.Status != metav1.ConditionTrue {
			kind = corev1.EventTypeWarning
		}
		r.Events.Eventf(target, nil, kind, is.Reason, "Probe", "%s", wording.Fit(is.Message, wording.Event))
	}
	return nil
}

// same compares what the status says, wherever its conditions stand.
func same(before, after v1alpha1.AccessTargetStatus) bool {
	if len(before.Conditions) != len(after.Conditions) {
		return false
	}
	for _, condition := range after.Conditions {
		old := meta.FindStatusCondition(before.Conditions, condition.Type)
		if old == nil || !equality.Semantic.DeepEqual(*old, condition) {
			return false
		}
	}
	before.Conditions, after.Conditions = nil, nil
	return equality.Semantic.DeepEqual(before, after)
}

// writeInUse applies the keeper's condition; of a target that nobody ever used it
// says nothing. A deletion that must wait is an event too.
func (k *keeper) writeInUse(ctx context.Context, target *v1alpha1.AccessTarget, condition *metav1.Condition) error {
	before := meta.FindStatusCondition(target.Status.Conditions, condition.Type)
	switch {
	case before == nil && condition.Status == metav1.ConditionFalse:
		return nil
	case before != nil && before.Status == condition.Status && before.Message == condition.Message:
		return nil
	case before != nil && before.Status == condition.Status:
		condition.LastTransitionTime = before.LastTransitionTime
	}
	if err := k.applyStatus(ctx, target, apply.AccessTargetStatus().WithConditions(applyCondition(*condition)), keeperFieldOwner); err != nil {
		return err
	}
	if condition.Status == metav1.ConditionTrue && !target.DeletionTimestamp.IsZero() {
		k.Events.Eventf(target, nil, corev1.EventTypeWarning, condition.Reason, "Delete", "%s", wording.Fit(condition.Message, wording.Event))
	}
	return nil
}

// applyStatus applies one field manager's part, and keeps the new resource version.
func (r *Reconciler) applyStatus(
	ctx context.Context, target *v1alpha1.AccessTarget, status *apply.AccessTargetStatusApplyConfiguration, owner string,
) error {
	object := apply.AccessTarget(target.Name, target.Namespace).
		WithUID(target.UID).WithResourceVersion(target.ResourceVersion).WithStatus(status)
	if err := r.Status().Apply(ctx, object, client.FieldOwner(owner), client.ForceOwnership); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	if object.ResourceVersion != nil {
		target.ResourceVersion = *object.ResourceVersion
	}
	return nil
}

func applyCondition(condition metav1.Condition) *metaapply.ConditionApplyConfiguration {
	return metaapply.Condition().WithType(condition.Type).WithStatus(condition.Status).WithReason(condition.Reason).
		WithMessage(condition.Message).WithObservedGeneration(condition.ObservedGeneration).
		WithLastTransitionTime(condition.LastTransitionTime)
}
