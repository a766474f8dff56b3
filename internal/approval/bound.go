package approval

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Valid says whether a question, and so its approval, still stands for request,
// policy and target as they are now; the zero Bound is an object that is gone. The
// error names everything that is no longer as the reviewers saw it: edited, made
// again under its name, or gone. A question that is bound to nothing never stands.
func Valid(q v1alpha1.Question, request, policy, target v1alpha1.Bound) error {
	var changed []string
	for _, b := range []struct {
		what       string
		asked, now v1alpha1.Bound
	}{
		{"request", q.Subject.Request, request},
		{"policy", q.Policy, policy},
		{"target", q.Target, target},
	} {
		if b.asked != b.now || b.asked.Name == "" || b.asked.UID == "" || b.asked.Digest == "" {
			changed = append(changed, b.what+" "+b.asked.Name)
		}
	}
	if len(changed) > 0 {
		return fmt.Errorf("%s changed since the review opened", strings.Join(changed, ", "))
	}
	return nil
}
