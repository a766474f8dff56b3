package session

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// snapshot is what operations are judged by. A newer one replaces it whole, so that an
// operation reads it without a lock.
type snapshot struct {
	state grant.State
	// policy of the state's grant; nil while there is none.
	policy *policy.Policy
	// terms is the grant as sessions record it; nil while there is none.
	terms *record.Grant
	// masks of that policy, keyed for this task.
	masks *mask.Set
	task  policy.TaskContext
	// endAt is the grant's deadline on the monotonic clock, so that a clock that is
	// set back buys no time.
	endAt time.Time
}

func newSnapshot(state grant.State, compiled *policy.Policy, terms *record.Grant, endAt time.Time) *snapshot {
	return &snapshot{
		state: state, policy: compiled, terms: terms, masks: masksOf(compiled, state), endAt: endAt,
		task: policy.TaskContext{
			ID: state.Task.ID, Type: state.Task.Type, URL: state.Task.URL, Reviewer: state.Task.Reviewer,
			Requester: state.Task.Requester, Request: state.Task.Request, Namespace: state.Task.Namespace,
			Target: state.Task.Target, Groups: state.Task.Groups,
		},
	}
}

// alive is nil while operations may pass.
func (n *snapshot) alive(now time.Time, lastContact func() time.Time) error {
	switch {
	case n.state.Phase == grant.Ended:
		return &EndedError{n.state.Reason}
	case n.state.Phase != grant.Granted:
		return ErrNotGranted
	// Both clocks: the wall's may be set back, the monotonic one sleeps with the machine.
	case !now.Before(n.endAt) || !now.Round(0).Before(n.state.Grant.Deadline):
		return &EndedError{"its time is over"}
	case lastContact != nil && now.Sub(lastContact()) > n.controlLoss():
		return ErrControlLost
	}
	return nil
}

func (n *snapshot) controlLoss() time.Duration {
	if loss := time.Duration(n.state.Grant.Policy.Session.ControlLossSeconds) * time.Second; loss > 0 {
		return loss
	}
	return time.Minute
}

// decide judges an operation. What cannot be decided is denied.
func (n *snapshot) decide(operation *Operation, facts policy.SessionContext) (policy.Decision, error) {
	if n.policy == nil {
		return policy.Decision{}, ErrNotGranted
	}
	facts.InTransaction = operation.InTransaction
	action := operation.Action
	if action.Binds == nil {
		action.Binds = operation.Values
	}
	return n.policy.Decide(action, policy.Context{Session: facts, Task: n.task}), nil
}

// gating is the rule that gates the commit of an operation, if one of those that matched
// does.
func (n *snapshot) gating(matched []string) (v1alpha1.Rule, bool) {
	for _, rule := range n.state.Grant.Policy.Rules {
		if rule.Effect == v1alpha1.EffectHoldCommit && slices.Contains(matched, rule.Name) {
			return rule, true
		}
	}
	return v1alpha1.Rule{}, false
}
