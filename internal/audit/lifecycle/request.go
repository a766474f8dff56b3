// Package lifecycle tells the audit stream what becomes of requests, reviews and
// policies. It is a function of what their objects show: each object shows facts, each
// with an identity of its own, and an event is a fact that was not shown before. So a
// manager that starts anew tells nothing else than the one before it told.
package lifecycle

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
)

// Request is what happened to a request from old to now, oldest first; old is nil for
// one that was not seen before. Facts without a time of their own have seen.
func Request(old, now *v1alpha1.TaskAccessRequest, seen time.Time) []audit.Event {
	events := news(requestFacts(old, seen), requestFacts(now, seen))
	return append(events, requestHold(old, now, seen)...)
}

// Gone is the end of a request's object.
func Gone(last *v1alpha1.TaskAccessRequest, seen time.Time) audit.Event {
	return audit.New(audit.RequestDeleted, subjectOf(last), seen, audit.Deleted{TornDown: last.Status.ClosedAt != nil})
}

// news are the facts of now that old does not have.
func news(old, now []audit.Event) []audit.Event {
	known := make(map[string]bool, len(old))
	for _, fact := range old {
		known[fact.ID] = true
	}
	var fresh []audit.Event
	for _, fact := range now {
		if !known[fact.ID] {
			fresh = append(fresh, fact)
		}
	}
	return fresh
}

func subjectOf(request *v1alpha1.TaskAccessRequest) audit.Subject {
	return audit.Subject{Namespace: request.Namespace, Request: request.Name, UID: string(request.UID)}
}

// facts collects what an object shows.
type facts struct {
	subject audit.Subject
	events  []audit.Event
}

func (f *facts) add(t audit.Type, at time.Time, data any, what ...string) {
	f.events = append(f.events, audit.New(t, f.subject, at, data, what...))
}

func requestFacts(request *v1alpha1.TaskAccessRequest, seen time.Time) []audit.Event {
	if request == nil {
		return nil
	}
	f := &facts{subject: subjectOf(request)}
	f.created(request)
	f.matched(request)
	f.proxy(request)
	f.granted(request)
	f.ended(request)
	f.recorded(request, seen)
	f.tornDown(request, seen)
	return f.events
}

func (f *facts) created(request *v1alpha1.TaskAccessRequest) {
	spec := request.Spec
	f.add(audit.RequestCreated, request.CreationTimestamp.Time, audit.Created{
		Requester: spec.Requester.Username, Groups: spec.Requester.Groups,
		Task: spec.Task.ID, TaskType: spec.Task.Type, TaskURL: spec.Task.URL, Reviewer: spec.Task.Reviewer,
		Target: spec.Target, Policy: spec.Policy, Reason: spec.Reason, DurationSeconds: spec.DurationSeconds,
	})
}

func (f *facts) matched(request *v1alpha1.TaskAccessRequest) {
	status := request.Status
	matched := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPolicyMatched)
	if matched != nil && matched.Status == metav1.ConditionFalse {
		f.refused(matched)
	}
	if status.Policy == nil || status.Target == nil {
		return
	}
	at := request.CreationTimestamp.Time
	if matched != nil && matched.Status == metav1.ConditionTrue {
		at = matched.LastTransitionTime.Time
	}
	f.add(audit.RequestMatched, at, audit.Matched{
		Policy: bound(*status.Policy), Target: bound(*status.Target), RequestDigest: status.RequestDigest, Review: status.Review,
	}, status.Policy.Digest, status.Target.Digest)
}

// refused takes a condition that keeps a request from going on.
func (f *facts) refused(condition *metav1.Condition) {
	f.add(audit.RequestRefused, condition.LastTransitionTime.Time, audit.Refused{Reason: condition.Reason, Message: condition.Message},
		condition.Reason, stamp(condition.LastTransitionTime))
}

// quota is the reason of ProxyReady for somebody who has too many open requests.
const quota = "Quota"

func (f *facts) proxy(request *v1alpha1.TaskAccessRequest) {
	proxy := audit.Proxy{}
	if endpoint := request.Status.Endpoint; endpoint != nil {
		proxy.Pod = endpoint.Pod
	}
	if ready := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionProxyReady); ready != nil {
		switch {
		case ready.Status == metav1.ConditionTrue:
			f.add(audit.ProxyReady, ready.LastTransitionTime.Time, proxy, stamp(ready.LastTransitionTime))
		case ready.Reason == quota:
			f.refused(ready)
		}
	}
	if isolated := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionIsolated); isolated != nil {
		t := audit.ProxyExposed
		if isolated.Status == metav1.ConditionTrue {
			t = audit.ProxyIsolated
		}
		proxy.Message = isolated.Message
		f.add(t, isolated.LastTransitionTime.Time, proxy, stamp(isolated.LastTransitionTime))
	}
}

func (f *facts) granted(request *v1alpha1.TaskAccessRequest) {
	status := request.Status
	if status.GrantedAt == nil || status.ExpiresAt == nil {
		return
	}
	// The API server keeps whole seconds, and so do identities.
	granted := status.GrantedAt.Truncate(time.Second)
	first := granted.Add(time.Duration(request.Spec.DurationSeconds) * time.Second)
	issued := audit.Grant{Target: request.Spec.Target, Requester: request.Spec.Requester.Username, GrantedAt: granted.UTC(), ExpiresAt: first.UTC()}
	if made := status.Credential; made != nil {
		issued.CredentialType, issued.CredentialName = string(made.Type), made.Name
	}
	f.add(audit.GrantIssued, granted, issued, stamp(*status.GrantedAt))
	if until := status.ExpiresAt.Truncate(time.Second); until.After(first) {
		issued.ExpiresAt = until.UTC()
		f.add(audit.GrantExtended, granted, issued, stamp(*status.ExpiresAt))
	}
}

func (f *facts) ended(request *v1alpha1.TaskAccessRequest) {
	ended := request.Status.Ended
	if ended == nil {
		return
	}
	f.add(audit.RequestEnded, ended.At.Time, audit.Ended{Reason: ended.Reason, Message: ended.Message})
	if request.Status.GrantedAt != nil {
		f.add(audit.GrantRevoked, ended.At.Time, audit.Revoked{Target: request.Spec.Target, Reason: ended.Reason, Message: ended.Message})
	}
}

func (f *facts) tornDown(request *v1alpha1.TaskAccessRequest, seen time.Time) {
	teardown := request.Status.Teardown
	if teardown == nil {
		return
	}
	at, data := seen, audit.Teardown{Message: teardown.Message}
	if teardown.CheckedAt != nil {
		at = teardown.CheckedAt.Time
	}
	_, abandoned := request.Annotations[v1alpha1.AnnotationAbandon]
	switch closed := request.Status.ClosedAt != nil; {
	case closed && teardown.Proved:
		f.add(audit.TeardownProved, at, data)
	case closed && abandoned:
		f.add(audit.TeardownAbandoned, at, data)
	case closed:
		f.add(audit.TeardownUnproved, at, data, "closed")
	case !teardown.Proved:
		f.add(audit.TeardownUnproved, at, data, "closing", teardown.Message)
	}
}

func bound(b v1alpha1.Bound) audit.Bound {
	return audit.Bound{Name: b.Name, UID: b.UID, Digest: b.Digest}
}

// stamp is a moment as part of an identity.
func stamp(at metav1.Time) string { return at.UTC().Format(time.RFC3339) }
