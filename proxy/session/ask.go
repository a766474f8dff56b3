package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
)

const (
	// describeWithin bounds what an engine asks the target for a review.
	describeWithin = 10 * time.Second
	// grace is how long past its time a review's outcome is awaited: the manager's
	// clock decides, and a yes that came in time must not be lost on the way.
	grace = 2 * time.Second
)

var (
	errUnanswered = errors.New("nobody answered in time")
	errAnswered   = errors.New("answered")
	errLeft       = errors.New("the client left while its operation was held")
)

// ask puts a question before reviewers, tells the client what it waits for, and
// returns the outcome. The error is ErrWithdrawn, errLeft, the cause of an end, or
// words for the client.
func (s *Session) ask(ctx context.Context, number int64, held v1alpha1.HeldOperation, hold Hold, timeout time.Duration) (control.HoldState, error) {
	if s.task.options.Hold == nil {
		return control.HoldState{}, errNoHolder
	}
	leave, err := s.task.takeHold()
	if err != nil {
		return control.HoldState{}, err
	}
	s.waits.Add(1)
	defer func() {
		s.Touch()
		s.waits.Add(-1)
	}()
	question, err := s.describe(ctx, held, hold)
	if err != nil {
		leave()
		return control.HoldState{}, err
	}
	w := &wait{session: s, number: number, held: question, hold: hold, states: make(chan control.HoldState), answer: make(chan answer, 1)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.context, func() { w.cancel(context.Cause(s.context)) })
	defer stop()
	// The holder may still be withdrawing when the client already has its answer.
	if err := s.task.own(func() {
		defer leave()
		state, err := s.task.options.Hold(w.ctx, question, w.changed)
		w.answer <- answer{state, err}
	}); err != nil {
		leave()
		w.cancel(err)
		return control.HoldState{}, err
	}
	state, err := w.run(timeout)
	w.cancel(errAnswered)
	if err == nil && state.Outcome == v1alpha1.OutcomeApproved && state.Digest != question.Digest {
		err = fmt.Errorf("%w: review %s is about another operation", control.ErrHoldRefused, state.Review)
	}
	return state, errors.Join(err, w.close(state, err))
}

// describe lets the engine complete the question; what is asked stays as it is.
func (s *Session) describe(ctx context.Context, held v1alpha1.HeldOperation, hold Hold) (v1alpha1.HeldOperation, error) {
	question := held
	if hold.Describe != nil {
		bounded, cancel := context.WithTimeoutCause(ctx, describeWithin, errors.New("the target was too slow to describe it"))
		defer cancel()
		hold.Describe(bounded, &question)
	}
	question.ID, question.Point, question.Rule = held.ID, held.Point, held.Rule
	question.Digest = held.Digest
	if err := fit(&question); err != nil {
		return question, err
	}
	if question.Point == v1alpha1.HoldAtCommit {
		digest, err := commitDigest(question)
		if err != nil {
			return question, err
		}
		question.Digest = digest
	}
	// Nobody is asked about what its client has cancelled meanwhile.
	select {
	case <-hold.Cancelled:
		return question, ErrWithdrawn
	default:
		return question, context.Cause(ctx)
	}
}

// wait is one operation before its reviewers.
type wait struct {
	session *Session
	number  int64
	held    v1alpha1.HeldOperation
	hold    Hold
	ctx     context.Context
	cancel  context.CancelCauseFunc
	states  chan control.HoldState
	answer  chan answer
	// newest state, whose review the client knows once told is not empty.
	newest control.HoldState
	told   string
}

type answer struct {
	state control.HoldState
	err   error
}

// changed hands a state over, unless nobody waits any more.
func (w *wait) changed(state control.HoldState) {
	select {
	case w.states <- state:
	case <-w.ctx.Done():
	}
}

func (w *wait) run(timeout time.Duration) (control.HoldState, error) {
	again, late := time.NewTicker(tellEvery), time.NewTimer(timeout+grace)
	defer again.Stop()
	defer late.Stop()
	for {
		var err error
		select {
		case state := <-w.states:
			err = w.take(state)
		case <-again.C:
			w.told = ""
			err = w.tell()
		case done := <-w.answer:
			select {
			case <-late.C:
				// Telling a client that does not read took so long: what was approved is not
				// kept for when it likes.
				err = errUnanswered
			default:
				return w.finish(done)
			}
		case <-w.hold.Cancelled:
			err = ErrWithdrawn
		case <-late.C:
			err = errUnanswered
		case <-w.ctx.Done():
			err = context.Cause(w.ctx)
		}
		if err != nil {
			w.cancel(err)
			return w.newest, err
		}
	}
}

// finish is what the holder came back with.
func (w *wait) finish(done answer) (control.HoldState, error) {
	if cause := context.Cause(w.ctx); cause != nil {
		return w.newest, cause
	}
	if done.err != nil {
		return w.newest, done.err
	}
	if done.state.Outcome == "" {
		return done.state, fmt.Errorf("%w: its review has no outcome", control.ErrHoldRefused)
	}
	w.newest = done.state
	return done.state, nil
}

// take records a review that is there now, and tells the client what has changed.
func (w *wait) take(state control.HoldState) error {
	opened := w.newest.Review == "" && state.Review != ""
	w.newest = state
	if opened {
		if err := w.record("", "rule "+w.held.Rule); err != nil {
			return err
		}
		w.session.audit(w.event(control.AuditOperationHeld))
	}
	if state.Outcome != "" {
		return nil
	}
	return w.tell()
}

// tell tells the client, unless it knows already.
func (w *wait) tell() error {
	message := fmt.Sprintf("held by rule %s: waiting for the manager to open its review", w.held.Rule)
	if w.newest.Review != "" {
		message = fmt.Sprintf("held by rule %s, waiting for review: kubectl approve %s", w.held.Rule, w.newest.Review)
		if namespace := w.session.State().Task.Namespace; namespace != "" {
			message += " -n " + namespace
		}
	}
	if w.newest.Message != "" {
		message += " (" + w.newest.Message + ")"
	}
	if message == w.told || w.hold.Tell == nil {
		return nil
	}
	w.told = message
	if err := w.session.tell(w.ctx, message, w.hold.Tell); err != nil {
		return fmt.Errorf("%w: %w", errLeft, err)
	}
	return nil
}

// close records what came of it.
func (w *wait) close(state control.HoldState, err error) error {
	outcome, message := string(state.Outcome), state.Message
	switch {
	case errors.Is(err, errUnanswered):
		outcome, message = string(v1alpha1.OutcomeExpired), err.Error()
	case err != nil:
		outcome, message = string(v1alpha1.OutcomeWithdrawn), err.Error()
	}
	event := w.event(control.AuditOperationDecided)
	event.Outcome, event.Message = outcome, message
	w.session.audit(event)
	return w.record(outcome, message)
}

func (w *wait) event(kind control.AuditType) control.AuditEvent {
	return control.AuditEvent{Type: kind, Operation: w.number, Kind: w.held.Kind, Rule: w.held.Rule, Review: w.newest.Review, Message: w.held.Message}
}

func (w *wait) record(outcome, message string) error {
	return w.session.append(record.Event{Type: record.EventHold, Hold: &record.Hold{
		Operation: w.number, Review: w.newest.Review, Point: string(w.held.Point), Digest: w.held.Digest,
		Outcome: outcome, Message: message,
	}})
}
