package taskaccessrequest

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/manifest"
)

// gather reads everything that the phases decide on. It returns nil for a request
// that is gone, or that is closed and torn down.
func (r *Reconciler) gather(ctx context.Context, key ctrl.Request) (*scope, error) {
	request := &v1alpha1.TaskAccessRequest{}
	if err := r.Get(ctx, key.NamespacedName, request); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if request.Status.ClosedAt != nil && !holds(request) {
		return nil, nil
	}
	s := &scope{now: r.Now(), request: request, status: *request.Status.DeepCopy()}
	s.status.ObservedGeneration = request.Generation

	var err error
	if s.review, err = ofRequest(ctx, r.Client, request); err != nil {
		return nil, err
	}
	if s.target, err = lookup.Find[v1alpha1.AccessTarget](ctx, r.Client, request.Namespace, request.Spec.Target); err != nil {
		return nil, err
	}
	if s.bound() {
		s.policy, err = lookup.Find[v1alpha1.AccessPolicy](ctx, r.Client, request.Namespace, s.review.Spec.Question.Policy.Name)
	} else {
		s.policies, err = r.namespacePolicies(ctx, request.Namespace)
	}
	if err != nil {
		return nil, err
	}
	s.pod, err = lookup.Find[corev1.Pod](ctx, r.Client, v1alpha1.ProxyNamespace, manifest.Name(s.uid()))
	return s, err
}

func (r *Reconciler) namespacePolicies(ctx context.Context, namespace string) ([]v1alpha1.AccessPolicy, error) {
	list := &v1alpha1.AccessPolicyList{}
	if err := r.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return list.Items, nil
}

// ofRequest returns the review of a request, or nil. A review of the same name that
// asks about another request is nobody's.
func ofRequest(ctx context.Context, reader client.Reader, request *v1alpha1.TaskAccessRequest) (*v1alpha1.ApprovalReview, error) {
	review, err := lookup.Find[v1alpha1.ApprovalReview](ctx, reader, request.Namespace, reviewName(request))
	if err != nil || review == nil || review.Spec.Question.Subject.Kind != v1alpha1.SubjectRequest ||
		review.Spec.Question.Subject.Request.UID != string(request.UID) {
		return nil, err
	}
	return review, nil
}
