package accesspolicy

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
)

const fieldOwner = "sallyport-manager"

// writeStatus applies a draft if it differs from what was read, under the resource
// version that was read, and says in an event that the state is new.
func (r *Reconciler) writeStatus(ctx context.Context, policy *v1alpha1.AccessPolicy, draft v1alpha1.AccessPolicyStatus) error {
	if equality.Semantic.DeepEqual(policy.Status, draft) {
		return nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&draft)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": content}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("AccessPolicy"))
	object.SetNamespace(policy.Namespace)
	object.SetName(policy.Name)
	object.SetUID(policy.UID)
	object.SetResourceVersion(policy.ResourceVersion)
	err = r.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldOwner), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	r.announce(policy, draft)
	return nil
}

// announce says in an event that the state is new; its reason is the condition's.
func (r *Reconciler) announce(policy *v1alpha1.AccessPolicy, draft v1alpha1.AccessPolicyStatus) {
	was := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(draft.Conditions, v1alpha1.ConditionReady)
	if was != nil && was.Reason == is.Reason {
		return
	}
	kind := corev1.EventTypeNormal
	if is.Reason != v1alpha1.ReasonReady {
		kind = corev1.EventTypeWarning
	}
	r.Events.Eventf(policy, nil, kind, is.Reason, "Compile", "%s", wording.Fit(is.Message, wording.Event))
}
