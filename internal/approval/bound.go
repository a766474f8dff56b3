package approval

import "github.com/sallyport/sallyport/api/v1alpha1"

// Current is request, policy and target as they are now; the zero Bound is an
// object that is gone.
type Current struct {
	Request, Policy, Target v1alpha1.Bound
}

// Changed names what a question, and so its approval, was bound to and is no
// longer as the reviewers saw it: edited, made again under its name, or gone. A
// question that is bound to nothing has changed.
func Changed(q v1alpha1.Question, now Current) []string {
	var changed []string
	for _, b := range []struct {
		what       string
		asked, now v1alpha1.Bound
	}{
		{"request", q.Subject.Request, now.Request},
		{"policy", q.Policy, now.Policy},
		{"target", q.Target, now.Target},
	} {
		if b.asked != b.now || b.asked.Name == "" || b.asked.UID == "" || b.asked.Digest == "" {
			changed = append(changed, b.what+" "+b.asked.Name)
		}
	}
	return changed
}
