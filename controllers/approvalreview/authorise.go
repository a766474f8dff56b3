package approvalreview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/approval"
)

// Authoriser says whether the author of a decision has the verb `review` on a policy.
type Authoriser interface {
	MayReview(ctx context.Context, namespace, policy string, decision v1alpha1.Decision) (bool, error)
}

// lookUpTimeout bounds the questions to the authoriser about one review.
const lookUpTimeout = 10 * time.Second

// authorise asks for each decision that is not latched yet. Admission has asked
// the same; this is for clusters whose admission policies were weakened meanwhile.
// A look-up that fails leaves the reviewer out, which is Unknown.
func (r *Reconciler) authorise(ctx context.Context, review *v1alpha1.ApprovalReview) (map[string]approval.Authorisation, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	answers := map[string]approval.Authorisation{}
	var failed []error
	for _, d := range review.Spec.Decisions {
		if slices.ContainsFunc(review.Status.Latched, func(l v1alpha1.LatchedDecision) bool { return l.Reviewer == d.Reviewer }) {
			continue
		}
		may, err := r.Authoriser.MayReview(ctx, review.Namespace, review.Spec.Question.Policy.Name, d)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("may %s review: %w", d.Reviewer, err))
		case may:
			answers[d.Reviewer] = approval.Allowed
		default:
			answers[d.Reviewer] = approval.Refused
		}
	}
	return answers, errors.Join(failed...)
}

// AccessReviews is the API server's own authoriser, asked by SubjectAccessReview.
type AccessReviews struct {
	client.Client
}

// MayReview asks the API server. An answer that its authorisers could not fully
// evaluate is an error, unless it allows.
func (a AccessReviews) MayReview(ctx context.Context, namespace, policy string, decision v1alpha1.Decision) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: decision.Reviewer, UID: decision.UID, Groups: decision.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: v1alpha1.GroupName, Version: v1alpha1.SchemeGroupVersion.Version, Resource: "accesspolicies",
			Namespace: namespace, Name: policy, Verb: v1alpha1.VerbReview,
		},
	}}
	if err := a.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask the authoriser: %w", err)
	}
	if review.Status.EvaluationError != "" && !review.Status.Allowed && !review.Status.Denied {
		return false, fmt.Errorf("the authoriser could not tell: %s", review.Status.EvaluationError)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}
