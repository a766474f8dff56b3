package policy

import (
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// AutoApprove says whether the policy approves a request without a review.
// namespace and name are the request's. An error never approves.
func (p *Policy) AutoApprove(namespace, name string, spec v1alpha1.TaskAccessRequestSpec) (bool, error) {
	if p.autoApprove == nil {
		return false, nil
	}
	approved, err := evaluate(p.autoApprove, map[string]any{
		"request": celRequest{
			Name: name, Namespace: namespace,
			Requester: spec.Requester.Username, Groups: list(spec.Requester.Groups),
			Target: spec.Target, Policy: spec.Policy, Reason: spec.Reason,
			DurationSeconds: int64(spec.DurationSeconds),
		},
		"task": taskVariable(TaskContext{
			ID: spec.Task.ID, Type: spec.Task.Type, URL: spec.Task.URL, Reviewer: spec.Task.Reviewer,
			Requester: spec.Requester.Username, Groups: spec.Requester.Groups,
			Request: name, Namespace: namespace, Target: spec.Target,
		}),
	})
	if err != nil {
		return false, fmt.Errorf("policy %s, review.autoApprove could not be evaluated, so it does not approve: %w", p.name, err)
	}
	return approved, nil
}
