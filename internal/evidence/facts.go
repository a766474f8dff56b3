package evidence

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/transcript"
)

// Facts are what the recordings say, counted: what the report is written from.
type Facts struct {
	Sessions []Session `json:"sessions"`
	// Policies are the texts that were enforced, record.GrantText in JSON as recorded, by
	// their SHA-256.
	Policies map[string]string `json:"policies,omitempty"`
}

// Session is one recording.
type Session struct {
	Session  string   `json:"session"`
	Recorded Recorded `json:"recorded"`
	// Contents are nil where no event was read: the recording is encrypted.
	Contents *Contents `json:"contents,omitempty"`
}

// Recorded is how well a session is recorded, by its bytes and signatures alone.
type Recorded struct {
	Segments int `json:"segments"`
	// SignedSegment is the newest signed segment, SignedEvent the last event that it
	// vouches for; 0 is none.
	SignedSegment int   `json:"signedSegment"`
	SignedEvent   int64 `json:"signedEvent"`
	// Keys that signed.
	Keys      []string `json:"keys,omitempty"`
	Encrypted bool     `json:"encrypted,omitempty"`
}

// Contents are what happened in a session.
type Contents struct {
	// Complete says that it has its end; Problem why it was not read to that.
	Complete bool   `json:"complete"`
	Problem  string `json:"problem,omitempty"`

	User     string    `json:"user"`
	Proof    string    `json:"proof"`
	Remote   string    `json:"remote"`
	Protocol string    `json:"protocol"`
	Target   string    `json:"target"`
	Began    time.Time `json:"began"`
	Last     time.Time `json:"last"`
	Ended    string    `json:"ended,omitempty"`
	// FirstAllowed is when the first operation was let through.
	FirstAllowed *time.Time `json:"firstAllowed,omitempty"`

	// Grants are what operations were judged by, one after the other; MoreGrants those that
	// are not listed.
	Grants     []Granted `json:"grants,omitempty"`
	MoreGrants int64     `json:"moreGrants,omitempty"`

	Operations int64 `json:"operations"`
	// Verdicts by effect; an operation without one is Pending.
	Verdicts map[string]int64 `json:"verdicts,omitempty"`
	// Rules that decided, "policy/rule", by how often.
	Rules map[string]int64 `json:"rules,omitempty"`
	// Failed operations: the target answered with an error.
	Failed int64 `json:"failed"`
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
	// Masked values by why.
	Masked map[string]int64 `json:"masked,omitempty"`
	// Held operations, and Refused ones, as many as maxListed; MoreHeld and MoreRefused
	// are the rest.
	Held        []HeldOperation    `json:"held,omitempty"`
	MoreHeld    int64              `json:"moreHeld,omitempty"`
	Refused     []RefusedOperation `json:"refused,omitempty"`
	MoreRefused int64              `json:"moreRefused,omitempty"`
}

// HeldOperation is an operation that waited for reviewers.
type HeldOperation struct {
	Operation int64     `json:"operation"`
	Time      time.Time `json:"time"`
	Review    string    `json:"review,omitempty"`
	Point     string    `json:"point"`
	Digest    string    `json:"digest"`
	Outcome   string    `json:"outcome,omitempty"`
	Text      string    `json:"text"`
}

// RefusedOperation is an operation that did not reach the target.
type RefusedOperation struct {
	Operation int64     `json:"operation"`
	Time      time.Time `json:"time"`
	Text      string    `json:"text"`
	Rule      string    `json:"rule"`
	Message   string    `json:"message,omitempty"`
}

const (
	// maxListed is how many held, and refused, operations of a session are listed.
	maxListed = 200
	// maxExcerpt is the most of a text that is listed, in bytes.
	maxExcerpt = 400
)

// gather counts in all recordings. Signatures are compared with keys; a session that is
// corrupt has facts up to there.
func gather(ctx context.Context, recordings store.Reader, keys []ed25519.PublicKey, identities []age.Identity) (Facts, error) {
	sessions, err := recordings.Sessions(ctx)
	if err != nil {
		return Facts{}, err
	}
	facts := Facts{Sessions: []Session{}, Policies: map[string]string{}}
	for _, name := range sessions {
		// Errors stand in the summary, as what could not be signed or read.
		summary, _ := record.Verify(ctx, recordings, name, record.Expectation{Session: name, Keys: keys})
		if err := ctx.Err(); err != nil {
			return Facts{}, err
		}
		session := Session{Session: name, Recorded: Recorded{
			Segments: summary.Segments, SignedSegment: summary.SignedSegment, SignedEvent: summary.SignedEvent,
			Keys: summary.Keys, Encrypted: summary.Encrypted,
		}}
		session.Contents, err = read(ctx, recordings, name, identities, facts.Policies)
		if err != nil {
			return Facts{}, err
		}
		facts.Sessions = append(facts.Sessions, session)
	}
	return facts, nil
}

// read counts in one recording; nil if it cannot be opened for want of an identity.
func read(ctx context.Context, recordings store.Reader, session string, identities []age.Identity, policies map[string]string) (*Contents, error) {
	contents := &Contents{Verdicts: map[string]int64{}, Rules: map[string]int64{}, Masked: map[string]int64{}}
	events, err := record.Open(ctx, recordings, session, record.ReadOptions{Identities: identities})
	if err == nil {
		err = contents.count(transcript.NewReader(events), policies)
		err = errors.Join(err, events.Close())
	}
	incomplete, corrupt := &record.IncompleteError{}, &record.CorruptError{}
	switch {
	case err == nil:
	case errors.Is(err, record.ErrEncrypted):
		return nil, nil
	case errors.As(err, &incomplete):
		contents.Problem = "it has no end: the session still ran, or its proxy died"
	case errors.As(err, &corrupt), errors.Is(err, record.ErrVersion), errors.Is(err, fs.ErrNotExist):
		contents.Problem = err.Error()
	default:
		return nil, fmt.Errorf("session %s: %w", session, err)
	}
	return contents, nil
}

func (c *Contents) count(steps *transcript.Reader, policies map[string]string) error {
	for {
		step, err := steps.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.take(step, policies)
	}
}

func (c *Contents) take(step transcript.Step, policies map[string]string) {
	c.Last = step.Time
	switch step.Kind {
	case transcript.Begin:
		s := step.Start
		c.User, c.Proof, c.Remote, c.Protocol, c.Target, c.Began = s.User, s.Proof, s.Remote, s.Protocol, s.Target, step.Time
	case transcript.Granted:
		c.granted(step.Sequence, step.Time, step.Grant, policies)
	case transcript.Asked:
		c.Operations++
	case transcript.Held:
		c.held(step)
	case transcript.Decided:
		c.decided(step)
	case transcript.Answered:
		c.Rows += step.Result.Rows
		c.Bytes += step.Result.Bytes
		if step.Result.Error != "" {
			c.Failed++
		}
		for why, count := range step.Result.Masked {
			c.Masked[why] += count
		}
	case transcript.Done:
		c.Verdicts[step.Operation.Effect()]++
	case transcript.End:
		c.Complete, c.Ended = true, step.End.Reason
	default: // what the report does not count
	}
}

func (c *Contents) decided(step transcript.Step) {
	v := step.Verdict
	c.Rules[v.Policy+"/"+v.Rule]++
	switch {
	case v.Effect != effectDeny:
		if c.FirstAllowed == nil {
			c.FirstAllowed = new(step.Time)
		}
	case len(c.Refused) >= maxListed:
		c.MoreRefused++
	default:
		c.Refused = append(c.Refused, RefusedOperation{
			Operation: step.Operation.ID, Time: step.Time, Text: excerpt(step.Operation.Text), Rule: v.Rule, Message: excerpt(v.Message),
		})
	}
}

const (
	// effectDeny is the verdict of an operation that does not reach the target.
	effectDeny = "Deny"
	// effectPending is none: the session ended first.
	effectPending = "Pending"
)

// held notes an operation that waits, and then what came of it.
func (c *Contents) held(step transcript.Step) {
	h := step.Hold
	for i := range c.Held {
		if c.Held[i].Operation == h.Operation && c.Held[i].Point == h.Point && c.Held[i].Outcome == "" && h.Outcome != "" {
			c.Held[i].Outcome = h.Outcome
			if c.Held[i].Review == "" {
				c.Held[i].Review = h.Review
			}
			return
		}
	}
	if len(c.Held) >= maxListed {
		c.MoreHeld++
		return
	}
	c.Held = append(c.Held, HeldOperation{
		Operation: h.Operation, Time: step.Time, Review: h.Review, Point: h.Point, Digest: h.Digest, Outcome: h.Outcome,
		Text: excerpt(step.Operation.Text),
	})
}

func excerpt(text string) string {
	text = record.PrintableLine(text)
	if len(text) <= maxExcerpt {
		return text
	}
	cut := maxExcerpt
	for text[cut]&0xc0 == 0x80 {
		cut--
	}
	return text[:cut] + "…"
}
