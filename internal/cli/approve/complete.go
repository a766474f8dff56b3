package approve

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/review"
)

// completionTimeout keeps a shell from waiting for an API server that is away.
const completionTimeout = 3 * time.Second

// reviewed names the reviews of the namespace that are open; nothing if
// they cannot be listed: a completion has nobody to tell.
func reviewed(ctx context.Context, factory *kube.Factory) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	c, namespace, err := factory.ClientIn()
	if err != nil {
		return nil
	}
	list := &v1alpha1.ApprovalReviewList{}
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	var names []string
	for _, r := range list.Items {
		if r.Status.Outcome == "" {
			names = append(names, review.Name(&r)+"\t"+r.Spec.Question.Task.ID)
		}
	}
	return names
}
