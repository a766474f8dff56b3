// Package authority asks the API server's own authoriser what a person may do, so
// that `kubectl auth can-i` and the manager always agree.
package authority

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Person is a user as the API server authenticated them.
type Person struct {
	Username, UID string
	Groups        []string
}

// MayOnPolicy says whether a person has a verb on an AccessPolicy. An answer that the
// authorisers could not fully evaluate is an error, unless it allows.
func MayOnPolicy(ctx context.Context, asker client.Client, person Person, verb, namespace, policy string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: person.Username, UID: person.UID, Groups: person.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: v1alpha1.GroupName, Version: v1alpha1.SchemeGroupVersion.Version, Resource: "accesspolicies",
			Namespace: namespace, Name: policy, Verb: verb,
		},
	}}
	if err := asker.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask the authoriser: %w", err)
	}
	status := review.Status
	if status.EvaluationError != "" && !status.Allowed && !status.Denied {
		return false, fmt.Errorf("the authoriser could not tell: %s", status.EvaluationError)
	}
	return status.Allowed && !status.Denied, nil
}
