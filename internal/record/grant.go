package record

import (
	"encoding/json"
	"fmt"
	"time"
)

// Grant is what the operations after it are judged by. No credential is in it.
type Grant struct {
	// Policy and Digest name the policy as the review was bound to it.
	Policy string `json:"policy"`
	Digest string `json:"digest,omitempty"`
	// Deadline ends the session.
	Deadline time.Time `json:"deadline"`
	// Review is the ApprovalReview that approved it, and Outcome the digest of what its
	// reviewers decided, as internal/digest makes it.
	Review  string `json:"review,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	// Bytes of Text, also where that is more than MaxBlock, and left out.
	Bytes int64 `json:"bytes"`
	// Text is a GrantText in JSON, MaxBlock at most; attached to the event.
	Text []byte `json:"-"`
}

// GrantText is the policy that is enforced.
type GrantText struct {
	// Policy is an AccessPolicySpec, as reviewers saw it.
	Policy json.RawMessage `json:"policy"`
	// Grant is what a request has narrowed Policy's own grant to; it is enforced in the
	// place of that.
	Grant json.RawMessage `json:"grant,omitempty"`
}

// Words are a grant in one line, as it was recorded: whoever prints them neutralises them.
func (g *Grant) Words() string {
	text := "granted by policy " + g.Policy + " until " + g.Deadline.UTC().Format(time.RFC3339)
	if g.Review != "" {
		text += ", approved by review " + g.Review
	}
	return text
}

// Terms is the text of a grant; ok is false where it was too long to be recorded.
func (g *Grant) Terms() (text GrantText, ok bool, err error) {
	if len(g.Text) == 0 {
		return text, false, nil
	}
	if err := json.Unmarshal(g.Text, &text); err != nil {
		return text, false, fmt.Errorf("read a grant's text: %w", err)
	}
	return text, true, nil
}

// boundedGrant is a grant with its texts within their limits.
func boundedGrant(g Grant) Grant {
	for _, field := range []*string{&g.Policy, &g.Digest, &g.Review, &g.Outcome} {
		*field = clip(*field, maxAttribute)
	}
	g.Deadline, g.Bytes = g.Deadline.UTC(), int64(len(g.Text))
	if len(g.Text) > MaxBlock {
		g.Text = nil
	}
	return g
}
