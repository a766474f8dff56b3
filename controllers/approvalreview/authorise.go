package approvalreview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/approval"
	"github.com/sallyport/sallyport/internal/authority"
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

// MayReview asks the API server.
func (a AccessReviews) MayReview(ctx context.Context, namespace, policy string, decision v1alpha1.Decision) (bool, error) {
	reviewer := authority.Person{Username: decision.Reviewer, UID: decision.UID, Groups: decision.Groups}
	return authority.MayOnPolicy(ctx, a.Client, reviewer, v1alpha1.VerbReview, namespace, policy)
}
