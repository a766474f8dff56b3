package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// Admission is an operation that may go on.
type Admission struct {
	// Operation is its number in the recording.
	Operation int64
	// Effect is Allow, or HoldCommit: the COMMIT of its transaction must AwaitCommit.
	Effect v1alpha1.Effect
	// Rule that decided, and its message.
	Rule, Message string
}

var errNotBegun = errors.New("the session has not begun")

// Admit is the one door: it decides, and records the operation with its verdict, or,
// where a rule holds it, the operation, then what its reviewers say, then the verdict.
// Only with a nil error may anything of it reach the target. A *Refusal and ErrWithdrawn
// leave the session usable, and the operation's number in the admission; any other error
// ends it.
func (s *Session) Admit(ctx context.Context, operation Operation) (Admission, error) {
	b, err := s.live(ctx)
	if err != nil {
		return Admission{}, err
	}
	now := s.task.current.Load()
	if err := s.recordTerms(now); err != nil {
		return Admission{}, err
	}
	number := s.operations.Add(1)
	entry := newEntry()
	defer entry.free()
	entry.take(number, &operation)
	decision, err := now.decide(&operation, b.facts)
	if err != nil {
		return Admission{}, errors.Join(err, s.appendOperation(b, &entry.operation, nil))
	}
	if decision.Effect == v1alpha1.EffectHold && operation.PrepareOnly {
		decision.Effect, decision.Message = v1alpha1.EffectAllow, "it is held when it runs"
	}
	held, withdrawn := decision.Effect == v1alpha1.EffectHold, error(nil)
	if held {
		if err := s.appendOperation(b, &entry.operation, nil); err != nil {
			return Admission{}, err
		}
		decision, now, withdrawn = s.review(ctx, number, operation, decision, now)
		if err := s.recordTerms(now); err != nil {
			return Admission{}, err
		}
	}
	allowed := decision.Effect == v1alpha1.EffectAllow || decision.Effect == v1alpha1.EffectHoldCommit
	s.count(allowed)
	entry.verdict = record.Verdict{
		Operation: number, Effect: string(decision.Effect),
		Policy: decision.Policy, Rule: decision.Rule, Message: decision.Message,
	}
	if held {
		err = s.append(record.Event{Type: record.EventVerdict, Verdict: &entry.verdict})
	} else {
		err = s.appendOperation(b, &entry.operation, &entry.verdict)
	}
	if err != nil {
		return Admission{}, err
	}
	// The end may have come while the verdict was on its way to the recording.
	if _, err := s.live(ctx); err != nil {
		return Admission{}, err
	}
	admission := Admission{Operation: number, Effect: decision.Effect, Rule: decision.Rule, Message: decision.Message}
	switch {
	case withdrawn != nil:
		return admission, withdrawn
	case !allowed:
		s.denied(number, operation.Action.Kind, decision)
		return admission, &Refusal{Decision: decision, Request: now.state.Task.Request}
	}
	return admission, nil
}

func (s *Session) count(allowed bool) {
	if allowed {
		s.allowed.Add(1)
	} else {
		s.refused.Add(1)
	}
}

func (s *Session) denied(number int64, kind string, decision policy.Decision) {
	s.audit(control.AuditEvent{
		Type: control.AuditOperationDenied, Operation: number, Kind: kind, Rule: decision.Rule, Message: decision.Message,
	})
}

// Stream records a chunk that is about to be forwarded as part of an operation.
func (s *Session) Stream(ctx context.Context, operation int64, chunk []byte) error {
	if _, err := s.live(ctx); err != nil {
		return err
	}
	digest := sha256.Sum256(chunk)
	if err := s.append(record.Event{Type: record.EventStream, Stream: &record.Stream{
		Operation: operation, Bytes: int64(len(chunk)), SHA256: hex.EncodeToString(digest[:]),
	}}); err != nil {
		return err
	}
	_, err := s.live(ctx)
	return err
}

// Chunk is Stream for who has hashed already: SHA256 may be of all that came so far, and is
// empty where it did not come in order.
func (s *Session) Chunk(ctx context.Context, chunk record.Stream) error {
	if _, err := s.live(ctx); err != nil {
		return err
	}
	if err := s.append(record.Event{Type: record.EventStream, Stream: &chunk}); err != nil {
		return err
	}
	_, err := s.live(ctx)
	return err
}

// Result records what the target answered to an operation. It is recorded even
// when the session is ending: the operation has run.
func (s *Session) Result(_ context.Context, result record.Result) error {
	b := s.begunWith.Load()
	switch {
	case b == nil:
		return errNotBegun
	case b.recording == nil:
		return s.notRecorded(b, errNoRecording)
	}
	entry := newEntry()
	defer entry.free()
	entry.result = result
	return s.notRecorded(b, b.recording.AppendResult(&entry.result))
}

// Notice records something that the proxy told the client.
func (s *Session) Notice(_ context.Context, message string) error {
	return s.append(record.Event{Type: record.EventNotice, Notice: message})
}

// live is nil while operations of this session may pass.
func (s *Session) live(ctx context.Context) (*begun, error) {
	if s.context.Err() != nil {
		return nil, context.Cause(s.context)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	b := s.begunWith.Load()
	if b == nil {
		return nil, errNotBegun
	}
	return b, s.task.usable()
}
