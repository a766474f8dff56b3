package evidence

import (
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
)

// identity checks that the documents are of the request that the bundle is named for.
func (c *checker) identity() {
	r := c.documents.Request
	if (Identity{r.Namespace, r.Name, string(r.UID)}) != c.Request {
		c.add(Failed, "request", "%s/%s is not the request that the manifest names", r.Namespace, r.Name)
	}
	got := digest.Request(&r)
	switch want := r.Status.RequestDigest; {
	case want == "":
		c.add(Gap, "request", "no review was opened: its text is bound to nothing")
	case want != got:
		c.add(Failed, "request", "its text has digest %s, and reviewers were shown %s", got, want)
	default:
		c.add(OK, "request", "%s by %s, as its digest says", r.Name, r.Spec.Requester.Username)
	}
	for i := range c.documents.Reviews {
		review := &c.documents.Reviews[i]
		q := review.Spec.Question
		if q.Subject.Request.UID != string(r.UID) || q.Subject.Request.Digest != got || review.Namespace != r.Namespace {
			c.add(Failed, "review "+review.Name, "it is about another request, or about another text of this one")
		}
		if q.Requester.Username != r.Spec.Requester.Username || q.Requester.UID != r.Spec.Requester.UID {
			c.add(Failed, "review "+review.Name, "it names another requester")
		}
	}
}

// bound checks policy and target against what the review was bound to.
func (c *checker) bound() {
	d := c.documents
	if d.Request.Status.Policy == nil {
		c.add(Gap, "policy", "the request matched none, or no review was opened")
		return
	}
	var policy, target v1alpha1.Bound
	if d.Policy != nil {
		policy = digest.BindPolicy(d.Policy)
	}
	if d.Target != nil {
		target = digest.BindTarget(d.Target)
	}
	if recorded := d.fromRecording; recorded != nil && (d.Policy == nil || d.policyChanged && policy != *d.Request.Status.Policy) {
		c.add(OK, "policy", "%s is not now what reviewers saw; that text was enforced, and is in the recording of session %s, digest %s", recorded.Name, c.recordedIn, d.Request.Status.Policy.Digest)
	} else {
		c.compareBound("policy", d.Request.Status.Policy, policy, d.policyChanged)
	}
	c.compareBound("target", d.Request.Status.Target, target, d.targetChanged)
	for i := range d.Reviews {
		q := d.Reviews[i].Spec.Question
		if q.Policy != *d.Request.Status.Policy || d.Request.Status.Target == nil || q.Target != *d.Request.Status.Target {
			c.add(Failed, "review "+d.Reviews[i].Name, "it is bound to another policy or target than the request")
		}
	}
}

func (c *checker) compareBound(what string, want *v1alpha1.Bound, got v1alpha1.Bound, changed bool) {
	switch {
	case want == nil:
		c.add(Failed, what, "the request's status names none")
	case got == (v1alpha1.Bound{}):
		c.add(Gap, what, "it is not in the bundle: what reviewers saw of %s is known by its digest %s alone", want.Name, want.Digest)
	case changed && *want != got:
		c.add(Gap, what, "%s was changed after the review: the text that reviewers saw is not here, only its digest %s", want.Name, want.Digest)
	case changed:
		c.add(Failed, what, "it is filed as changed, and is not")
	case *want != got:
		c.add(Failed, what, "its text has digest %s, and reviewers were shown %s", got.Digest, want.Digest)
	default:
		c.add(OK, what, "%s has the text that reviewers saw, digest %s", want.Name, want.Digest)
	}
}

// grant checks that what was granted follows from the review, and from nothing else.
func (c *checker) grant() {
	r, review := c.documents.Request, c.documents.review()
	granted := r.Status.GrantedAt
	switch {
	case granted == nil && r.Status.Credential != nil:
		c.add(Failed, "grant", "a credential was made, and nothing was granted")
		return
	case granted == nil:
		c.add(OK, "grant", "nothing was granted")
		return
	case review == nil:
		c.add(Failed, "grant", "access was granted at %s, and the review that allowed it is not in the bundle", at(granted))
		return
	case review.Status.Outcome != v1alpha1.OutcomeApproved || review.Status.DecidedAt == nil:
		c.add(Failed, "grant", "access was granted at %s, and the review was not approved", at(granted))
		return
	case granted.Before(review.Status.DecidedAt):
		c.add(Failed, "grant", "access was granted at %s, before the review was approved at %s", at(granted), at(review.Status.DecidedAt))
		return
	}
	most := granted.Add(time.Duration(r.Spec.DurationSeconds)*time.Second + time.Second)
	if r.Status.ExpiresAt == nil || r.Status.ExpiresAt.After(most) {
		c.add(Failed, "grant", "it lasts longer than the %d seconds that reviewers were asked for", r.Spec.DurationSeconds)
		return
	}
	c.add(OK, "grant", "granted at %s, after the review, until %s", at(granted), at(r.Status.ExpiresAt))
}

// teardown is the operator's word of what the target has shown it.
func (c *checker) teardown() {
	status := c.documents.Request.Status
	switch t := status.Teardown; {
	case t == nil:
		c.add(Gap, "teardown", "not begun: the request is open")
	case !t.Proved:
		c.add(Gap, "teardown", "not proved: %s", t.Message)
	case status.ClosedAt == nil:
		c.add(Gap, "teardown", "the credential is gone (%s), and the rest is not torn down yet", t.Message)
	default:
		c.add(OK, "teardown", "proved at %s: %s", at(t.CheckedAt), t.Message)
	}
}
