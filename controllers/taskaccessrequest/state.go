package taskaccessrequest

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/stores"
)

// view is what a task's state follows from.
type view struct {
	request *v1alpha1.TaskAccessRequest
	review  *v1alpha1.ApprovalReview
	policy  *v1alpha1.AccessPolicy
	target  *v1alpha1.AccessTarget
	pod     *corev1.Pod
}

// look reads what a request's state follows from.
func look(ctx context.Context, reader client.Reader, request *v1alpha1.TaskAccessRequest) (view, error) {
	v := view{request: request}
	var err error
	if v.review, err = ofRequest(ctx, reader, request); err != nil {
		return v, err
	}
	if v.target, err = lookup.Find[v1alpha1.AccessTarget](ctx, reader, request.Namespace, request.Spec.Target); err != nil {
		return v, err
	}
	if v.review != nil {
		if v.policy, err = lookup.Find[v1alpha1.AccessPolicy](ctx, reader, request.Namespace, v.review.Spec.Question.Policy.Name); err != nil {
			return v, err
		}
	}
	v.pod, err = lookup.Find[corev1.Pod](ctx, reader, v1alpha1.ProxyNamespace, manifest.Name(string(request.UID)))
	return v, err
}

// phaseOf derives, from objects alone, whether a proxy waits, may work, or is over.
// It is the same judgement as the reconciler's, so that a replica that does not lead
// sees a change as soon as its cache does.
func phaseOf(v view, now time.Time) (phase grant.Phase, why string) {
	s := &scope{now: now, request: v.request, review: v.review, policy: v.policy, target: v.target}
	status := v.request.Status
	switch {
	case status.Ended != nil:
		return grant.Ended, status.Ended.Message
	case status.ClosedAt != nil:
		return grant.Ended, "the request is closed"
	}
	if ended := ending(s); ended != nil {
		return grant.Ended, ended.Message
	}
	if v.review == nil || v.review.Status.Outcome != v1alpha1.OutcomeApproved || status.GrantedAt == nil || status.ExpiresAt == nil || status.Credential == nil {
		return grant.Waiting, waitsFor(v)
	}
	if _, message := isolation(v.policy.Spec.Isolation, status.Conditions, v.pod); message != "" {
		return grant.Waiting, message
	}
	return grant.Granted, ""
}

// doubtful says whether an end follows from what a cache may not have seen yet. Any
// other end stays true: closed, denied, expired.
func doubtful(v view, now time.Time) bool {
	if v.request.Status.Ended != nil {
		return false
	}
	ended := ending(&scope{now: now, request: v.request, review: v.review, policy: v.policy, target: v.target})
	return ended != nil && ended.Reason == v1alpha1.ReasonVoid
}

// waitsFor tells a client in one line what their connection waits for.
func waitsFor(v view) string {
	if v.review == nil {
		return fmt.Sprintf("task %s waits for a policy that serves it: kubectl describe tar %s -n %s", v.request.Spec.Task.ID, v.request.Name, v.request.Namespace)
	}
	if v.review.Status.Outcome == v1alpha1.OutcomeApproved {
		return fmt.Sprintf("task %s is approved; its credential is being made", v.request.Spec.Task.ID)
	}
	missing := strings.Join(v.review.Status.Missing, ", ")
	if missing == "" {
		missing = "a decision"
	}
	return fmt.Sprintf("task %s waits for %s under policy %s; reviewers answer with: kubectl approve %s -n %s",
		v.request.Spec.Task.ID, missing, v.review.Spec.Question.Policy.Name, v.request.Name, v.request.Namespace)
}

// taskOf is the part of a state that a proxy may know at once.
func taskOf(request *v1alpha1.TaskAccessRequest) grant.Task {
	spec := request.Spec
	return grant.Task{
		RequestUID: string(request.UID), Request: request.Name, Namespace: request.Namespace,
		ID: spec.Task.ID, Type: spec.Task.Type, URL: spec.Task.URL, Reviewer: spec.Task.Reviewer,
		Requester: spec.Requester.Username, Groups: spec.Requester.Groups,
		Target: spec.Target, ClientKeys: spec.ClientKeys,
	}
}

// recordingFor is how a task's sessions are to be recorded: where its status has
// latched it, and as its policy wants it. known is false without the policy: nothing must
// be recorded less dependably, or more openly, than that asks for.
func recordingFor(v view) (recording grant.Recording, known bool) {
	recording = grant.Recording{Store: grant.StoreVolume}
	store := ""
	if v.policy != nil {
		policy := v.policy.Spec.Recording
		recording.Durability, recording.BestEffort, store = policy.Durability, !required(policy), stores.Of(policy)
		if policy.Encryption != nil {
			recording.Recipients = policy.Encryption.Recipients
		}
	}
	if latched := v.request.Status.Recording; latched != nil && latched.Store != "" {
		store = latched.Store
	}
	if store != "" && store != v1alpha1.StoreVolume {
		recording.Store = grant.StoreBucket
	}
	return recording, v.policy != nil
}
