package evidence

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
)

// enforced compares what sessions were told to judge by with policy, review and grant of
// the documents: recordings are signed, those are not.
func (c *checker) enforced(facts Facts) {
	c.documents.fromRecording, c.recordedIn = c.documents.recorded(facts, c.corrupt)
	vouched := 0
	for _, s := range facts.Sessions {
		if s.Contents == nil || c.corrupt[s.Session] || len(s.Contents.Grants) == 0 {
			continue
		}
		subject, agrees := "session "+s.Session, true
		for _, g := range s.Contents.Grants {
			if wrong := c.disagrees(facts, g); wrong != "" {
				c.add(Failed, subject, "%s", wrong)
				agrees = false
			}
		}
		if s.Contents.MoreGrants > 0 {
			c.add(Gap, subject, "%d more changes of its grant are not compared", s.Contents.MoreGrants)
		}
		if agrees && s.Contents.Grants[0].Event <= c.signed[s.Session] {
			vouched++
		}
	}
	if vouched > 0 {
		c.add(OK, "enforced", "%s name the policy and the review that are in this bundle, by their digests", count(int64(vouched), "signed recording"))
	}
}

// disagrees says how a recorded grant is not the one that the documents tell of.
func (c *checker) disagrees(facts Facts, g Granted) string {
	r := c.documents.Request
	bound := r.Status.Policy
	if bound == nil {
		return fmt.Sprintf("policy %s was enforced in it, and the review is bound to none", g.Policy)
	}
	if g.Policy != bound.Name || g.Digest != bound.Digest {
		return fmt.Sprintf("policy %s with digest %s was enforced in it, and the review is bound to %s with digest %s", g.Policy, g.Digest, bound.Name, bound.Digest)
	}
	if text := c.otherText(facts, g, *bound); text != "" {
		return text
	}
	if granted := r.Status.GrantedAt; granted != nil {
		if most := granted.Add(time.Duration(r.Spec.DurationSeconds)*time.Second + time.Second); g.Deadline.After(most) {
			return fmt.Sprintf("it was to last until %s, longer than the %d seconds that reviewers were asked for", stamp(g.Deadline), r.Spec.DurationSeconds)
		}
	}
	if g.Review == "" {
		return ""
	}
	if g.Review != r.Status.Review {
		return fmt.Sprintf("review %s allowed it, and the request names review %q", g.Review, r.Status.Review)
	}
	if review := c.documents.review(); review != nil && g.Outcome != digest.Review(review) {
		return fmt.Sprintf("review %s is not what it was when it allowed this session: its question, decisions or outcome were changed since", g.Review)
	}
	return ""
}

// otherText says how the text that was enforced is not the one that reviewers saw.
func (c *checker) otherText(facts Facts, g Granted, bound v1alpha1.Bound) string {
	if g.Text == "" {
		return ""
	}
	policy, grant, err := facts.enforced(g, bound)
	switch {
	case err != nil:
		return fmt.Sprintf("the policy that was enforced in it cannot be read: %v", err)
	case !digest.Holds(bound, digest.BindPolicy(policy)):
		return fmt.Sprintf("the policy that was enforced in it has digest %s, and reviewers saw %s", digest.Policy(policy), bound.Digest)
	}
	if review := c.documents.review(); review != nil && !same(grant, review.Spec.Question.Grant) {
		return "it was granted something else than reviewers were asked for"
	}
	return ""
}
