package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// sessions verifies all recordings, and counts what is in them.
func (c *checker) sessions(ctx context.Context) (Facts, error) {
	c.keys = c.trust.Keys
	switch {
	case len(c.keys) > 0:
	case len(c.documents.Keys) > 0:
		c.keys = c.documents.Keys
		c.add(Gap, "keys", "no key was given: signatures are checked with the bundle's own, which says nothing about who made it")
	default:
		c.add(Gap, "keys", "no key was given, and the bundle has none: no signature is checked")
	}
	names, err := c.recordings.Sessions(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("read the bundle's recordings: %w", err)
	}
	c.lost(names)
	for _, name := range names {
		if err := c.session(ctx, name); err != nil {
			return Facts{}, err
		}
	}
	return gather(ctx, c.recordings, c.documents.Keys, c.trust.Identities)
}

// happened compares what is in the recordings with the documents and the report.
func (c *checker) happened(facts Facts) {
	for _, session := range facts.Sessions {
		c.contents(session)
	}
	c.counted(facts)
	c.held(facts)
	c.report(facts)
}

// lost says which recordings are not all of what happened.
func (c *checker) lost(names []string) {
	status := c.documents.Request.Status.Recording
	if status == nil {
		return
	}
	if status.BestEffort {
		c.add(Gap, "recordings", "the policy let sessions go on unrecorded (required: false): what is not in the recordings may have happened")
	}
	if status.Lost != "" {
		c.add(Gap, "recordings", "some was lost: %s", status.Lost)
	}
	for _, head := range status.Head {
		if slices.Contains(names, head.Session) {
			continue
		}
		level := Failed
		if status.Lost != "" {
			level = Gap
		}
		c.add(level, "session "+head.Session, "%d events were reported, and its recording is not in the bundle", head.Sequence)
	}
}

// session verifies one recording by the heads of the request's status and by signatures.
func (c *checker) session(ctx context.Context, name string) error {
	subject := "session " + name
	expect := record.Expectation{
		Session: name, RequestUID: string(c.documents.Request.UID), Keys: c.keys, Identities: c.trust.Identities,
	}
	var sealed *v1alpha1.SealedHead
	if status := c.documents.Request.Status.Recording; status != nil {
		for _, head := range status.Head {
			if head.Session == name {
				expect.Heads = []record.Head{{Session: name, Sequence: head.Sequence, Hash: head.Hash, Complete: head.Complete}}
				sealed = head.Sealed
			}
		}
	}
	summary, err := record.Verify(ctx, c.recordings, name, expect)
	if cancelled := ctx.Err(); cancelled != nil {
		return cancelled
	}
	incomplete := &record.IncompleteError{}
	switch {
	case errors.As(err, &incomplete):
		c.add(Gap, subject, "%v", err)
	case err != nil:
		c.corrupt[name] = true
		c.add(Failed, subject, "%v", err)
		return nil
	}
	c.signed[name] = summary.SignedEvent
	if text := c.sealed(ctx, name, sealed); text != "" {
		c.add(Failed, subject, "%s", text)
		return nil
	}
	c.integrity(subject, summary, expect, err == nil)
	return nil
}

// integrity says what holds of a recording that nothing contradicts.
func (c *checker) integrity(subject string, s record.Summary, expect record.Expectation, complete bool) {
	text := "its chain is whole"
	if complete {
		text = "complete, its chain is whole"
	}
	if s.HeadChecked {
		text += ", it agrees with the head that its proxy reported"
	}
	switch {
	case s.SignedSegment > 0 && s.Unsigned == 0 && !s.Open && len(c.trust.Keys) > 0:
		text += fmt.Sprintf(", signed to its end by key %s", strings.Join(s.Keys, ", "))
	case s.SignedSegment > 0:
		text += fmt.Sprintf(", signed up to event %d", s.SignedEvent)
	}
	c.add(OK, subject, "%s", text)
	if s.SignedSegment == 0 {
		c.add(Gap, subject, "nothing of it is signed: it rests on the heads in the request's status alone")
	} else if s.Unsigned > 0 || s.Open {
		c.add(Gap, subject, "what follows event %d is not signed (%d segments)", s.SignedEvent, s.Unsigned)
	}
	if text := s.BehindText(); text != "" {
		c.add(Gap, subject, "%s", text)
	}
	if s.Encrypted && !s.Read {
		c.add(Gap, subject, "it is encrypted: its bytes and signatures are checked, its contents only with --identity")
	}
	if len(expect.Heads) == 0 && s.SignedSegment == 0 {
		c.add(Gap, subject, "no head of it was reported: a recording written anew would look the same")
	}
}

// sealed compares a signature in the bundle with the one in the request's status.
func (c *checker) sealed(ctx context.Context, session string, want *v1alpha1.SealedHead) string {
	if want == nil {
		return ""
	}
	missing := fmt.Sprintf("the request's status has a signature of segment %d that is not in the bundle", want.Segment)
	file, err := c.recordings.Open(ctx, store.SignatureName(session, int(want.Segment)), 0)
	if errors.Is(err, fs.ErrNotExist) {
		// Its proxy may have died with the answer in its hands: the status says what was signed.
		if hash, err := record.HashOf(ctx, c.recordings, session, int(want.Segment)); err == nil && hash.String() == want.Hash {
			return ""
		}
		return missing
	}
	if err != nil {
		return err.Error()
	}
	content, err := io.ReadAll(io.LimitReader(file, maxDocument))
	if err := errors.Join(err, file.Close()); err != nil {
		return err.Error()
	}
	signature, err := record.ParseSignature(content)
	if err != nil {
		return err.Error()
	}
	// Not their bytes: of one statement there may be two, where an answer was lost.
	if signature.Hash != want.Hash || signature.Key != want.Key || signature.Last != want.Sequence {
		return missing + ": another is in its place"
	}
	return ""
}

// counted compares what the proxies counted, as the request's status has it, with what
// they recorded. Of a proxy that was replaced the status counts less.
func (c *checker) counted(facts Facts) {
	status := c.documents.Request.Status.Sessions
	if status == nil {
		return
	}
	if recorded := len(facts.Sessions); int(status.Total) > recorded {
		c.add(Gap, "recordings", "%s were counted, and there are %d recordings", count(int64(status.Total), "session"), recorded)
	}
	for _, s := range facts.Sessions {
		if s.Contents == nil || !s.Contents.Complete {
			return
		}
	}
	verdicts := total(facts).Verdicts
	allowed, refused := int64(0), verdicts[effectDeny]
	for _, n := range verdicts {
		allowed += n
	}
	allowed -= refused + verdicts[effectPending]
	if status.Allowed > allowed || status.Refused > refused {
		c.add(Gap, "recordings", "%d allowed and %d refused operations were counted, and %d and %d are recorded", status.Allowed, status.Refused, allowed, refused)
	}
}

// skew is how far the clocks of a proxy and the manager may be apart.
const skew = 5 * time.Second

// contents compares what happened in a session with what was asked and granted.
func (c *checker) contents(s Session) {
	subject, contents, r := "session "+s.Session, s.Contents, c.documents.Request
	if contents == nil || contents.Began.IsZero() {
		return
	}
	if contents.User != r.Spec.Requester.Username || contents.Target != r.Spec.Target {
		c.add(Failed, subject, "it is %s's, on %s: not the requester's, or not on the request's target", contents.User, contents.Target)
	}
	policy := ""
	if r.Status.Policy != nil {
		policy = r.Status.Policy.Name
	}
	for _, rule := range sortedKeys(contents.Rules) {
		if name, _, _ := strings.Cut(rule, "/"); name != policy {
			c.add(Failed, subject, "policy %s decided in it, and the review is bound to %s", name, policy)
		}
	}
	first, granted := contents.FirstAllowed, r.Status.GrantedAt
	switch {
	case first == nil:
	case granted == nil:
		c.add(Failed, subject, "an operation was let through, and nothing was granted")
	case first.Before(granted.Add(-skew)):
		c.add(Failed, subject, "an operation was let through at %s, before the grant at %s", stamp(*first), at(granted))
	}
	if closed := r.Status.ClosedAt; closed != nil && contents.Last.After(closed.Add(skew)) {
		c.add(Failed, subject, "it goes on to %s, after the request was closed at %s", stamp(contents.Last), at(closed))
	}
}
