package session

import (
	"encoding/json"
	"reflect"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
)

// terms is a grant as sessions record it. That of the snapshot before is taken again
// where nothing in it has changed: sessions know by the pointer that they have it.
func terms(before *record.Grant, g *grant.Grant) (*record.Grant, error) {
	if g == nil {
		return nil, nil
	}
	text, err := termsText(g)
	if err != nil {
		return nil, err
	}
	now := &record.Grant{
		Policy: g.PolicyName, Digest: g.PolicyDigest, Deadline: g.Deadline.UTC().Round(0), Review: g.Review, Outcome: g.Outcome, Text: text,
	}
	if before != nil && reflect.DeepEqual(before, now) {
		return before, nil
	}
	return now, nil
}

// termsText is the policy as it was reviewed, and the grant that is enforced in the place
// of its own. The upstream, which has the credential, is no part of it.
func termsText(g *grant.Grant) ([]byte, error) {
	spec := g.Policy
	var text record.GrantText
	var err error
	if g.Reviewed != nil {
		if text.Grant, err = json.Marshal(spec.Grant); err != nil {
			return nil, err
		}
		spec.Grant = *g.Reviewed
	}
	if text.Policy, err = json.Marshal(spec); err != nil {
		return nil, err
	}
	return json.Marshal(text)
}

// recordTerms records what operations are judged by from here on, unless the recording
// says so already.
func (s *Session) recordTerms(now *snapshot) error {
	b := s.begunWith.Load()
	switch {
	case b == nil:
		return errNotBegun
	case now.terms == nil || b.terms.Load() == now.terms:
		return nil
	}
	b.telling.Lock()
	defer b.telling.Unlock()
	if b.terms.Load() == now.terms {
		return nil
	}
	if err := s.append(record.Event{Type: record.EventGrant, Grant: now.terms}); err != nil {
		return err
	}
	b.terms.Store(now.terms)
	return nil
}
