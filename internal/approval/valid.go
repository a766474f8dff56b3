package approval

import (
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Valid says whether a question, and so its approval, still stands for the
// objects as they are now: name, UID and digest of request, policy and target are
// those that the reviewers saw. The error names what changed.
func Valid(q v1alpha1.Question, request, policy, target v1alpha1.Bound) error {
	for _, b := range []struct {
		what       string
		asked, now v1alpha1.Bound
	}{
		{"request", q.Subject.Request, request},
		{"policy", q.Policy, policy},
		{"target", q.Target, target},
	} {
		switch {
		case b.asked.Name == "" || b.asked.UID == "" || b.asked.Digest == "":
			return fmt.Errorf("the review is bound to no %s: make the request again", b.what)
		case b.now == v1alpha1.Bound{}:
			return fmt.Errorf("%s %s is gone: make the request again", b.what, b.asked.Name)
		case b.asked.Name != b.now.Name || b.asked.UID != b.now.UID:
			return fmt.Errorf("%s %s is another object than the reviewers saw: make the request again", b.what, b.asked.Name)
		case b.asked.Digest != b.now.Digest:
			return fmt.Errorf("%s %s has changed since the review was opened: make the request again", b.what, b.asked.Name)
		}
	}
	return nil
}
