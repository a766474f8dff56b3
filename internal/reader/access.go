package reader

import (
	"context"
	"errors"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
)

var errNotVouchedFor = errors.New("no client certificate of the API server's, or no user with it")

// caller is whom the API server says the request is from.
func (h *Handler) caller(r *http.Request) (user.Info, error) {
	response, ok, err := h.Authenticate.AuthenticateRequest(r)
	if err != nil {
		return nil, err
	}
	if !ok || response == nil || response.User == nil || response.User.GetName() == "" {
		return nil, errNotVouchedFor
	}
	return response.User, nil
}

// authorise asks whether the caller may get the subresource recording of this very
// request; by UID alone, that of requests in all namespaces. The API server has asked itself about the group of this API before;
// this review is about the request's own group, and does not rest on that one.
func (h *Handler) authorise(ctx context.Context, who user.Info, what asked) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range who.GetExtra() {
		extra[key] = values
	}
	review, err := h.Access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.GetName(), UID: who.GetUID(), Groups: who.GetGroups(), Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "get", Group: v1alpha1.GroupName, Version: readerapi.Version, Resource: readerapi.Resource,
			Subresource: readerapi.Subresource, Namespace: what.namespace, Name: what.subject(),
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		h.Log.Error(err, "could not ask who may read")
		return apierrors.NewServiceUnavailable("whether you may read this cannot be asked now: try again")
	}
	if !review.Status.Allowed || review.Status.Denied {
		needed := "RBAC verb get on taskaccessrequests/recording of group " + v1alpha1.GroupName + " is needed"
		if what.name == "" {
			needed += " for all namespaces, as a ClusterRoleBinding gives it: a UID alone names no namespace"
		}
		return apierrors.NewForbidden(resource(), what.subject(), errors.New(needed))
	}
	return nil
}
