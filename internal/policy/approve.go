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
	task := TaskContext{
		ID: spec.Task.ID, Type: spec.Task.Type, URL: spec.Task.URL, Reviewer: spec.Task.Reviewer,
		Requester: spec.Requester.Username, Groups: spec.Requester.Groups,
		Request: name, Namespace: namespace, Target: spec.Target,
	}
	approved, err := p.autoApprove.evaluate(requestInput(&task, &spec), false)
	if err != nil {
		return false, fmt.Errorf("policy %s, review.autoApprove could not be evaluated, so it does not approve: %w", p.name, err)
	}
	return approved, nil
}
