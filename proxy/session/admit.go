package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
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

// Admit is the one door: it records the operation, decides, waits for reviewers where
// a rule holds it, and records the verdict. Only with a nil error may anything of it
// reach the target. A *Refusal and ErrWithdrawn leave the session usable, and the
// operation's number in the admission; any other error ends it.
func (s *Session) Admit(ctx context.Context, operation Operation) (Admission, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.live(ctx); err != nil {
		return Admission{}, err
	}
	s.operations++
	number := s.operations
	asked := record.Event{Type: record.EventOperation, Operation: operation.recorded(number)}
	decision, state, err := s.task.decide(operation, s.facts)
	if err != nil {
		return Admission{}, errors.Join(err, s.append(asked))
	}
	// Written with the verdict, or before the wait for reviewers.
	events := []record.Event{asked}
	var withdrawn error
	if decision.Effect == v1alpha1.EffectHold && operation.PrepareOnly {
		decision.Effect, decision.Message = v1alpha1.EffectAllow, "it is held when it runs"
	}
	if decision.Effect == v1alpha1.EffectHold {
		if err := s.append(asked); err != nil {
			return Admission{}, err
		}
		events = nil
		decision, state, withdrawn = s.review(ctx, number, operation, decision, state)
	}
	allowed := decision.Effect == v1alpha1.EffectAllow || decision.Effect == v1alpha1.EffectHoldCommit
	if allowed {
		s.allowed++
	} else {
		s.refused++
	}
	if err := s.append(append(events, record.Event{Type: record.EventVerdict, Verdict: &record.Verdict{
		Operation: number, Effect: string(decision.Effect),
		Policy: decision.Policy, Rule: decision.Rule, Message: decision.Message,
	}})...); err != nil {
		return Admission{}, err
	}
	// The end may have come while the verdict was on its way to the recording.
	if err := s.live(ctx); err != nil {
		return Admission{}, err
	}
	admission := Admission{Operation: number, Effect: decision.Effect, Rule: decision.Rule, Message: decision.Message}
	switch {
	case withdrawn != nil:
		return admission, withdrawn
	case !allowed:
		return admission, &Refusal{Decision: decision, Request: state.Task.Request}
	}
	return admission, nil
}

// Stream records a chunk that is about to be forwarded as part of an operation.
func (s *Session) Stream(ctx context.Context, operation int64, chunk []byte) error {
	digest := sha256.Sum256(chunk)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.live(ctx); err != nil {
		return err
	}
	if err := s.append(record.Event{Type: record.EventStream, Stream: &record.Stream{
		Operation: operation, Bytes: int64(len(chunk)), SHA256: hex.EncodeToString(digest[:]),
	}}); err != nil {
		return err
	}
	return s.live(ctx)
}

// Result records what the target answered to an operation. It is recorded even
// when the session is ending: the operation has run.
func (s *Session) Result(_ context.Context, result record.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.later(record.Event{Type: record.EventResult, Result: &result})
}

// Notice records something that the proxy told the client.
func (s *Session) Notice(_ context.Context, message string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(record.Event{Type: record.EventNotice, Notice: message})
}

// append writes to the recording; a failure ends all sessions of the task. Callers
// hold mu.
func (s *Session) append(events ...record.Event) error {
	if s.writer == nil {
		return errNotBegun
	}
	head, err := s.writer.Append(events...)
	switch {
	case errors.Is(err, record.ErrClosed):
		return err
	case err != nil:
		return s.task.recordingFailed(err)
	}
	s.task.recorded(head, s.allowed, s.refused)
	return nil
}

// later records what is written with the next event, or a moment later. Callers hold mu.
func (s *Session) later(event record.Event) error {
	if s.writer == nil {
		return errNotBegun
	}
	switch err := s.writer.AppendLater(event); {
	case errors.Is(err, record.ErrClosed):
		return err
	case err != nil:
		return s.task.recordingFailed(err)
	}
	return nil
}

// live is nil while operations of this session may pass. Callers hold mu.
func (s *Session) live(ctx context.Context) error {
	if cause := context.Cause(s.context); cause != nil {
		return cause
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if s.writer == nil {
		return errNotBegun
	}
	return s.task.usable()
}

// decide judges an operation by the newest policy. What cannot be decided is denied.
func (t *Task) decide(operation Operation, facts policy.SessionContext) (policy.Decision, grant.State, error) {
	t.mu.Lock()
	state, compiled := t.state, t.policy
	t.mu.Unlock()
	if compiled == nil {
		return policy.Decision{}, state, ErrNotGranted
	}
	facts.InTransaction = operation.InTransaction
	if operation.Action.Binds == nil {
		operation.Action.Binds = operation.Values
	}
	return compiled.Decide(operation.Action, policy.Context{Session: facts, Task: policy.TaskContext{
		ID: state.Task.ID, Type: state.Task.Type, URL: state.Task.URL, Reviewer: state.Task.Reviewer,
		Requester: state.Task.Requester, Request: state.Task.Request, Namespace: state.Task.Namespace,
		Target: state.Task.Target, Groups: state.Task.Groups,
	}}), state, nil
}
