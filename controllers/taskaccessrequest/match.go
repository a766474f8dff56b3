package taskaccessrequest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/authority"
	"github.com/sallyport/sallyport/internal/policy"
	targets "github.com/sallyport/sallyport/internal/target"
)

// match finds the one policy that serves the request and that its requester may
// use. Once a review is open the match is latched, and this phase passes.
func (r *Reconciler) match(ctx context.Context, s *scope) (outcome, error) {
	if s.bound() {
		s.set(v1alpha1.ConditionPolicyMatched, metav1.ConditionTrue, "Matched", "policy "+s.review.Spec.Question.Policy.Name)
		return next, nil
	}
	if s.target == nil {
		return s.unmatched("NoTarget", fmt.Sprintf("there is no AccessTarget %s in namespace %s", s.request.Spec.Target, s.request.Namespace))
	}
	candidates, passed := serving(s.request, s.policies)
	usable := []v1alpha1.AccessPolicy{}
	for _, candidate := range candidates {
		may, err := r.mayUse(ctx, s.request, candidate.Name)
		if err != nil {
			return stop, &retry{reason: "AuthorizerUnavailable", err: err}
		}
		if may {
			usable = append(usable, candidate)
		} else {
			passed = append(passed, candidate.Name+": "+s.request.Spec.Requester.Username+" may not use it (RBAC verb use)")
		}
	}
	matched, reason, message := choose(usable, passed)
	if matched == nil {
		out, err := s.unmatched(reason, message)
		if len(usable) < len(candidates) {
			// Nothing tells when somebody is given the verb.
			out = again(time.Minute)
		}
		return out, err
	}
	if message := foreign(matched, s.target); message != "" {
		return s.unmatched(v1alpha1.ReasonInvalid, message)
	}
	granted, message := exceeds(s.request, matched)
	if message != "" {
		return s.unmatched("Exceeds", message)
	}
	if message := unfit(granted, matched, s.target); message != "" {
		return s.unmatched(v1alpha1.ReasonInvalid, message)
	}
	s.policy = matched
	s.set(v1alpha1.ConditionPolicyMatched, metav1.ConditionTrue, "Matched", "policy "+matched.Name)
	return next, nil
}

func (s *scope) unmatched(reason, message string) (outcome, error) {
	s.set(v1alpha1.ConditionPolicyMatched, metav1.ConditionFalse, reason, message)
	s.state(reason, message)
	return stop, nil
}

// serving sorts a namespace's policies into those that serve the request, and why
// the others that one might expect do not.
func serving(request *v1alpha1.TaskAccessRequest, policies []v1alpha1.AccessPolicy) (candidates []v1alpha1.AccessPolicy, passed []string) {
	for _, candidate := range policies {
		named := request.Spec.Policy != ""
		if named && request.Spec.Policy != candidate.Name {
			continue
		}
		ofType := slices.Contains(candidate.Spec.TaskTypes, request.Spec.Task.Type)
		ofTarget := slices.Contains(candidate.Spec.Targets, request.Spec.Target)
		switch {
		case !ofType && named:
			passed = append(passed, fmt.Sprintf("%s: serves task types %s, not %s", candidate.Name, strings.Join(candidate.Spec.TaskTypes, ", "), request.Spec.Task.Type))
		case !ofTarget && named:
			passed = append(passed, fmt.Sprintf("%s: serves targets %s, not %s", candidate.Name, strings.Join(candidate.Spec.Targets, ", "), request.Spec.Target))
		case !ofType || !ofTarget:
		case !readyNow(candidate.Generation, candidate.Status.Conditions):
			passed = append(passed, candidate.Name+": "+whyNotReady(candidate.Status.Conditions))
		default:
			candidates = append(candidates, candidate)
		}
	}
	return candidates, passed
}

// choose takes the one policy; several are an error, never a union.
func choose(usable []v1alpha1.AccessPolicy, passed []string) (matched *v1alpha1.AccessPolicy, reason, message string) {
	switch len(usable) {
	case 1:
		return &usable[0], "", ""
	case 0:
		message = "no policy of this namespace serves this task type on this target"
		if len(passed) > 0 {
			slices.Sort(passed)
			message = "no policy can serve this request: " + strings.Join(passed, "; ")
		}
		return nil, v1alpha1.ReasonNoPolicy, message
	}
	names := []string{}
	for _, candidate := range usable {
		names = append(names, candidate.Name)
	}
	slices.Sort(names)
	return nil, v1alpha1.ReasonAmbiguous, "several policies serve this request: name one in spec.policy: " + strings.Join(names, ", ")
}

// exceeds says what the request asks beyond its policy; where that is nothing, granted is
// what it would be given.
func exceeds(request *v1alpha1.TaskAccessRequest, matched *v1alpha1.AccessPolicy) (granted v1alpha1.Grant, message string) {
	if limit := matched.Spec.Session.MaxDurationSeconds; request.Spec.DurationSeconds > limit {
		return granted, fmt.Sprintf("durationSeconds %d is more than policy %s allows: %d", request.Spec.DurationSeconds, matched.Name, limit)
	}
	granted, err := policy.Narrow(matched.Spec.Grant, request.Spec.Grant)
	if err != nil {
		return granted, fmt.Sprintf("grant is more than policy %s gives: %v", matched.Name, err)
	}
	return granted, ""
}

// foreign says that a policy is not for targets of such a protocol.
func foreign(matched *v1alpha1.AccessPolicy, target *v1alpha1.AccessTarget) string {
	endpoint, _ := targets.EndpointOf(target.Spec)
	if protocol := targets.ProtocolOf(matched.Spec.Grant); protocol != endpoint.Protocol {
		return fmt.Sprintf("policy %s grants access by %s; target %s speaks %s: name another policy or target, or correct the policy's targets",
			matched.Name, protocol, target.Name, endpoint.Protocol)
	}
	return ""
}

// unfit says why a grant cannot be had on a target of its protocol.
func unfit(granted v1alpha1.Grant, matched *v1alpha1.AccessPolicy, target *v1alpha1.AccessTarget) string {
	if postgres := matched.Spec.Grant.Postgres; postgres != nil {
		kind := target.Spec.Postgres.Credential
		if !postgres.Unrestricted || kind == v1alpha1.CredentialStatic {
			return ""
		}
		// No role can be made that may do what another login may. An SSH certificate is that
		// account's own: it may be unrestricted.
		return fmt.Sprintf("policy %s grants unrestricted access, which is for targets with credential Static; target %s has %s: "+
			"name relations in the grant, or another target", matched.Name, target.Name, kind)
	}
	missing := slices.DeleteFunc(slices.Clone(granted.SSH.Logins), func(login string) bool { return slices.Contains(target.Spec.SSH.Logins, login) })
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("target %s does not offer login %s: ask for fewer logins in grant.ssh.logins, of %s",
		target.Name, strings.Join(missing, ", "), strings.Join(target.Spec.SSH.Logins, ", "))
}

func readyNow(generation int64, conditions []metav1.Condition) bool {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == generation
}

func whyNotReady(conditions []metav1.Condition) string {
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil && ready.Status != metav1.ConditionTrue {
		return "not ready: " + ready.Reason + ": " + ready.Message
	}
	return "not ready yet"
}

// mayUse asks the API server's authoriser whether the requester may use a policy.
func (r *Reconciler) mayUse(ctx context.Context, request *v1alpha1.TaskAccessRequest, name string) (bool, error) {
	requester := request.Spec.Requester
	person := authority.Person{Username: requester.Username, UID: requester.UID, Groups: requester.Groups}
	return authority.MayOnPolicy(ctx, r.Client, person, v1alpha1.VerbUse, request.Namespace, name)
}
