// Package review is what the verbs of kubectl approve share: finding a review by
// the names that people use, and saying it in words.
package review

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Find returns the review that a name means: the review's own, the request's name, or
// the task's id in any case. Of several, the one that is still open. The review of a
// held operation is meant by its own name alone: whoever answers says which bytes.
func Find(ctx context.Context, c client.Client, namespace, name string) (*v1alpha1.ApprovalReview, error) {
	list := &v1alpha1.ApprovalReviewList{}
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	return choose(list.Items, namespace, name)
}

func choose(reviews []v1alpha1.ApprovalReview, namespace, name string) (*v1alpha1.ApprovalReview, error) {
	for _, means := range []func(r v1alpha1.ApprovalReview) bool{
		func(r v1alpha1.ApprovalReview) bool { return r.Name == name },
		func(r v1alpha1.ApprovalReview) bool {
			return r.Spec.Question.Subject.Held == nil && r.Spec.Question.Subject.Request.Name == name
		},
		func(r v1alpha1.ApprovalReview) bool {
			return r.Spec.Question.Subject.Held == nil && strings.EqualFold(r.Spec.Question.Task.ID, name)
		},
	} {
		var open, decided []v1alpha1.ApprovalReview
		for _, r := range reviews {
			switch {
			case !means(r):
			case r.Status.Outcome == "":
				open = append(open, r)
			default:
				decided = append(decided, r)
			}
		}
		if len(open) > 1 {
			return nil, fmt.Errorf("%q means several open reviews in namespace %s: name one of %s", name, namespace, names(open))
		}
		if len(open) == 1 {
			return &open[0], nil
		}
		if len(decided) > 0 {
			newest := slices.MaxFunc(decided, func(a, b v1alpha1.ApprovalReview) int {
				return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
			})
			return &newest, nil
		}
	}
	return nil, fmt.Errorf("no review %q in namespace %s: see kubectl approve -A", name, namespace)
}

func names(reviews []v1alpha1.ApprovalReview) string {
	out := make([]string, len(reviews))
	for i, r := range reviews {
		out[i] = r.Name
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
