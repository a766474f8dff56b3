package taskaccessrequest

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Three field managers share a request's status: the reconciler on the leader, and, on
// whichever replica the task's proxy talks to, the reporter and who certifies. None
// takes a field of another's.
const (
	fieldOwner          = "sallyport-manager"
	reporterFieldOwner  = "sallyport-control"
	certifierFieldOwner = "sallyport-certifier"
)

// writeStatus applies the draft if it differs from what was read, under the
// resource version that was read, and says in events which conditions changed.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	if !changed(s) {
		return nil
	}
	applied, err := applyStatus(ctx, r.Client, s.request, own(s.status), fieldOwner, s.request.ResourceVersion)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	before := s.request.Status
	s.request = s.request.DeepCopy()
	s.request.ResourceVersion = applied.GetResourceVersion()
	s.request.Status = *s.status.DeepCopy()
	r.announce(s.request, before.Conditions, s.status.Conditions)
	return nil
}

// own is the draft without what the others write.
func own(status v1alpha1.TaskAccessRequestStatus) v1alpha1.TaskAccessRequestStatus {
	mine := *status.DeepCopy()
	mine.Sessions = nil
	if mine.Recording != nil {
		mine.Recording.Head, mine.Recording.Lost = nil, ""
	}
	kept := mine.Conditions[:0]
	for _, condition := range mine.Conditions {
		if condition.Type != v1alpha1.ConditionIsolated && condition.Type != v1alpha1.ConditionCertified {
			kept = append(kept, condition)
		}
	}
	mine.Conditions = kept
	return mine
}

// applyStatus applies a whole status as one field manager. An empty version applies
// to whatever is there.
func applyStatus(
	ctx context.Context, writer client.Client, request *v1alpha1.TaskAccessRequest,
	status v1alpha1.TaskAccessRequestStatus, owner, version string,
) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": content}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("TaskAccessRequest"))
	object.SetNamespace(request.Namespace)
	object.SetName(request.Name)
	object.SetUID(request.UID)
	object.SetResourceVersion(version)
	err = writer.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(owner), client.ForceOwnership)
	return object, err
}
