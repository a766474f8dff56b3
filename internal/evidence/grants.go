package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/record"
)

// Granted is what a session was told to judge operations by, as its proxy recorded it.
type Granted struct {
	// Event is its number in the recording.
	Event    int64     `json:"event"`
	Time     time.Time `json:"time"`
	Policy   string    `json:"policy"`
	Digest   string    `json:"digest,omitempty"`
	Deadline time.Time `json:"deadline"`
	Review   string    `json:"review,omitempty"`
	// Outcome is the digest of what came of the review.
	Outcome string `json:"outcome,omitempty"`
	// Text is the SHA-256, in hex, of a text of Facts.Policies; empty where none is kept.
	Text string `json:"text,omitempty"`
}

const (
	// maxGrants is how many grants of a session are listed.
	maxGrants = 64
	// maxPolicies is how many texts are kept: a policy that changes ends its tasks, so that
	// more than one is rare.
	maxPolicies = 8
)

// granted notes a grant. Its text is kept once, whichever sessions have it.
func (c *Contents) granted(event int64, at time.Time, g *record.Grant, policies map[string]string) {
	if len(c.Grants) >= maxGrants {
		c.MoreGrants++
		return
	}
	noted := Granted{
		Event: event, Time: at, Policy: g.Policy, Digest: g.Digest, Deadline: g.Deadline, Review: g.Review, Outcome: g.Outcome,
	}
	if len(g.Text) > 0 {
		sum := textSum(string(g.Text))
		if _, kept := policies[sum]; kept || len(policies) < maxPolicies {
			policies[sum], noted.Text = string(g.Text), sum
		}
	}
	c.Grants = append(c.Grants, noted)
}

func textSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

var errNoText = errors.New("its text is not kept")

// enforced is the policy of a recorded text, as reviewers saw it, and the grant that was
// enforced with it.
func (f Facts) enforced(g Granted, bound v1alpha1.Bound) (policy *v1alpha1.AccessPolicy, grant v1alpha1.Grant, err error) {
	text, ok, err := (&record.Grant{Text: []byte(f.Policies[g.Text])}).Terms()
	if err != nil {
		return nil, grant, err
	}
	if !ok {
		return nil, grant, errNoText
	}
	policy = &v1alpha1.AccessPolicy{ObjectMeta: metav1.ObjectMeta{Name: g.Policy, UID: types.UID(bound.UID)}}
	policy.TypeMeta = typed("AccessPolicy")
	if err := json.Unmarshal(text.Policy, &policy.Spec); err != nil {
		return nil, grant, err
	}
	grant = policy.Spec.Grant
	if len(text.Grant) > 0 {
		grant = v1alpha1.Grant{}
		err = json.Unmarshal(text.Grant, &grant)
	}
	return policy, grant, err
}

// recorded is the policy with the digest that the review is bound to, from the first
// recording that has its text; nil if none has. Sessions in but are passed over.
func (b *documents) recorded(facts Facts, but map[string]bool) (policy *v1alpha1.AccessPolicy, session string) {
	bound := b.Request.Status.Policy
	if bound == nil {
		return nil, ""
	}
	for _, s := range facts.Sessions {
		if s.Contents == nil || but[s.Session] {
			continue
		}
		for _, g := range s.Contents.Grants {
			if policy, _, err := facts.enforced(g, *bound); err == nil && digest.Holds(*bound, digest.BindPolicy(policy)) {
				return policy, s.Session
			}
		}
	}
	return nil, ""
}

// reviewed is the policy as reviewers saw it; nil where that is not known.
func (b *documents) reviewed() *v1alpha1.AccessPolicy {
	if b.Policy != nil && !b.policyChanged {
		return b.Policy
	}
	return b.fromRecording
}

// unkept says what is wrong with the texts of the facts: each is the one that it is called,
// and somebody's.
func (f Facts) unkept() string {
	wanted := map[string]bool{}
	for _, s := range f.Sessions {
		if s.Contents == nil {
			continue
		}
		for _, g := range s.Contents.Grants {
			if g.Text != "" {
				wanted[g.Text] = true
			}
		}
	}
	if len(wanted) != len(f.Policies) {
		return "it has other policies than its sessions name"
	}
	for sum, text := range f.Policies {
		if !wanted[sum] || textSum(text) != sum {
			return "a policy in it is not the one that its sessions name"
		}
	}
	return ""
}

// enforcement is which text was enforced in which session.
func (b *documents) enforcement(p *page, facts Facts) {
	var rows [][]string
	signed := 0
	for _, s := range facts.Sessions {
		if s.Contents == nil {
			continue
		}
		for _, g := range s.Contents.Grants {
			by := "recorded, not signed"
			if g.Event <= s.Recorded.SignedEvent {
				by = "recorded and signed"
				signed++
			}
			rows = append(rows, []string{s.Session, stamp(g.Time), g.Policy + ", " + b.textOf(facts, g), stamp(g.Deadline), g.Review, by})
		}
	}
	if len(rows) == 0 {
		return
	}
	p.heading(2, "What was enforced")
	p.say("As the proxies recorded it, before the first operation and at each change. Signed recordings so bear witness of the policy and the review too: %d of these %d lines are signed.", signed, len(rows))
	p.table([]string{"Session", "From", "Policy", "Until", "Review", "Proof"}, rows)
}

// textOf says which text of a policy was enforced.
func (b *documents) textOf(facts Facts, g Granted) string {
	bound := b.Request.Status.Policy
	switch {
	case bound == nil || g.Digest != bound.Digest:
		return "another than was reviewed"
	case g.Text == "":
		return "its text is not kept here"
	}
	policy, _, err := facts.enforced(g, *bound)
	if err != nil || !digest.Holds(*bound, digest.BindPolicy(policy)) {
		return "another text than was reviewed"
	}
	return "the text that was reviewed"
}
