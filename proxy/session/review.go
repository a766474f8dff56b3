package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/policy"
)

// errNoHolder is a proxy that has nobody to ask.
var errNoHolder = fmt.Errorf("%w: this proxy has no manager that could ask its reviewers", control.ErrHoldRefused)

// review holds an operation until its reviewers have answered, and returns what is
// decided then. The error is ErrWithdrawn or errLeft, beside a decision that denies.
func (s *Session) review(ctx context.Context, number int64, operation Operation, decision policy.Decision, now *snapshot) (policy.Decision, *snapshot, error) {
	deny := func(message string) policy.Decision {
		decision.Effect, decision.Message = v1alpha1.EffectDeny, message
		return decision
	}
	if operation.Hold == nil {
		return deny("it would be held for review, and cannot be held here: denied"), now, nil
	}
	held, err := s.held(number, operation, decision)
	if err != nil {
		return deny(err.Error()), now, nil
	}
	answer, err := s.ask(ctx, number, held, *operation.Hold, policy.HoldTimeout(now.state.Grant.Policy))
	switch {
	case err != nil:
		return deny(err.Error()), now, passedOn(err)
	case answer.Outcome != v1alpha1.OutcomeApproved:
		return deny(denial(answer)), now, nil
	}
	return s.reconsider(number, operation, decision, answer)
}

// reconsider judges an approved operation by the newest policy: an approval answers
// for the rule that it was asked about, and for no other.
func (s *Session) reconsider(number int64, operation Operation, asked policy.Decision, answer control.HoldState) (policy.Decision, *snapshot, error) {
	now := s.task.current.Load()
	decided, err := now.decide(&operation, s.begunWith.Load().facts)
	if err != nil {
		asked.Effect, asked.Message = v1alpha1.EffectDeny, err.Error()
		return asked, now, nil
	}
	if decided.Effect != v1alpha1.EffectHold {
		return decided, now, nil
	}
	if decided.Rule != asked.Rule || decided.Policy != asked.Policy {
		decided.Effect, decided.Message = v1alpha1.EffectDeny, "the policy has changed while it was held: send it again"
		return decided, now, nil
	}
	decided.Effect, decided.Message = v1alpha1.EffectAllow, "review "+answer.Review+": "+answer.Message
	// What was approved is the statement; a rule that gates commits still gates its.
	if operation.InTransaction {
		if rule, gated := now.gating(decided.Matched); gated {
			decided.Effect, decided.Rule, decided.Message = v1alpha1.EffectHoldCommit, rule.Name, rule.Message
		}
	}
	s.task.options.Log.Info("A held operation was approved", "session", s.id, "operation", number, "review", answer.Review)
	return decided, now, nil
}

// AwaitCommit puts the effects of a transaction before reviewers, and waits. rule is
// the one that gates it; held has kind, text, and what Describe adds. A nil error lets
// the COMMIT with this number pass; after a *Refusal or ErrWithdrawn the transaction
// must be rolled back; any other error ends the session.
func (s *Session) AwaitCommit(ctx context.Context, operation int64, rule, message string, held v1alpha1.HeldOperation, hold Hold) error {
	granted, err := s.task.granted()
	if err != nil {
		return err
	}
	held.ID, held.Point = s.heldID(operation), v1alpha1.HoldAtCommit
	held.Rule, held.Message = rule, message
	refuse := func(why string) error {
		return &Refusal{Request: s.task.State().Task.Request, Decision: policy.Decision{
			Effect: v1alpha1.EffectDeny, Policy: granted.PolicyName, Rule: rule, Message: why,
		}}
	}
	answer, err := s.ask(ctx, operation, held, hold, policy.CommitTimeout(granted.Policy))
	if _, ended := s.live(ctx); ended != nil {
		return ended
	}
	switch {
	case passedOn(err) != nil:
		return passedOn(err)
	case err != nil:
		return refuse(err.Error())
	case answer.Outcome != v1alpha1.OutcomeApproved:
		return refuse(denial(answer))
	}
	return nil
}

// commitDigest is what an approval of a COMMIT releases: the effects that the
// reviewers were shown. SHA-256, in hex, over the question without its digest.
func commitDigest(held v1alpha1.HeldOperation) (string, error) {
	held.Digest = ""
	data, err := json.Marshal(held)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// denial is an outcome that is no approval, in words for the client.
func denial(answer control.HoldState) string {
	words := map[v1alpha1.Outcome]string{
		v1alpha1.OutcomeDenied: "denied by its reviewers", v1alpha1.OutcomeExpired: "nobody answered in time",
		v1alpha1.OutcomeWithdrawn: "its review was withdrawn",
	}[answer.Outcome]
	if words == "" {
		words = fmt.Sprintf("its review has outcome %q, which this proxy does not know", answer.Outcome)
	}
	if answer.Message != "" && answer.Outcome != v1alpha1.OutcomeExpired {
		words += ": " + answer.Message
	}
	if answer.Review != "" {
		words += " (review " + answer.Review + ")"
	}
	return words
}

// passedOn is err where it is not for the client to read: there is none that waits.
func passedOn(err error) error {
	switch {
	case errors.Is(err, ErrWithdrawn):
		return ErrWithdrawn
	case errors.Is(err, errLeft):
		return err
	}
	return nil
}
