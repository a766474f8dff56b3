// Package task is what the verbs of kubectl access share: finding a request by the
// names that people use, and saying how it stands.
package task

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Find returns the request that a name means: its own, or its task's id in any
// case. Of several with that id, the one that is still open.
func Find(ctx context.Context, c client.Client, namespace, name string) (*v1alpha1.TaskAccessRequest, error) {
	request := &v1alpha1.TaskAccessRequest{}
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: strings.ToLower(name)}, request)
	if err == nil || !apierrors.IsNotFound(err) && !apierrors.IsInvalid(err) {
		return request, err
	}
	list := &v1alpha1.TaskAccessRequestList{}
	if listErr := c.List(ctx, list, client.InNamespace(namespace)); listErr != nil {
		return nil, err // who may only get is told what get said
	}
	return choose(list.Items, namespace, name)
}

func choose(requests []v1alpha1.TaskAccessRequest, namespace, name string) (*v1alpha1.TaskAccessRequest, error) {
	var open, over []v1alpha1.TaskAccessRequest
	for _, r := range requests {
		switch {
		case !strings.EqualFold(r.Spec.Task.ID, name):
		case Over(&r):
			over = append(over, r)
		default:
			open = append(open, r)
		}
	}
	switch {
	case len(open) > 1:
		names := make([]string, len(open))
		for i, r := range open {
			names[i] = r.Name
		}
		slices.Sort(names)
		return nil, fmt.Errorf("task %s has several open requests in namespace %s: name one of %s", name, namespace, strings.Join(names, ", "))
	case len(open) == 1:
		return &open[0], nil
	case len(over) > 0:
		newest := slices.MaxFunc(over, func(a, b v1alpha1.TaskAccessRequest) int {
			return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
		})
		return &newest, nil
	}
	return nil, fmt.Errorf("no request %q in namespace %s: see kubectl access list -A", name, namespace)
}

// Over says that a request is not, and never again will be, usable.
func Over(r *v1alpha1.TaskAccessRequest) bool {
	return r.Spec.State == v1alpha1.StateClosed || r.Status.Ended != nil || r.Status.ClosedAt != nil || !r.DeletionTimestamp.IsZero()
}

// State is the state in one word, and in words.
func State(r *v1alpha1.TaskAccessRequest) (reason, message string) {
	if ready := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason, ready.Message
	}
	return v1alpha1.ReasonPending, "the manager has not looked at it yet"
}

// Unserved says why no policy serves a request as it is; empty while that is not known.
func Unserved(r *v1alpha1.TaskAccessRequest) string {
	matched := Condition(r, v1alpha1.ConditionPolicyMatched)
	if matched.Status != metav1.ConditionFalse {
		return ""
	}
	return matched.Reason + ": " + matched.Message
}

// End says why a request that is over is so.
func End(r *v1alpha1.TaskAccessRequest) string {
	if r.Status.Ended != nil {
		return r.Status.Ended.Message
	}
	return "it was closed"
}

// ProxyReady says that the proxy listens, and where.
func ProxyReady(r *v1alpha1.TaskAccessRequest) bool {
	return r.Status.Endpoint != nil && meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionProxyReady)
}

// Condition is one condition's message, or a stand-in for one that is not there.
func Condition(r *v1alpha1.TaskAccessRequest, name string) metav1.Condition {
	if found := meta.FindStatusCondition(r.Status.Conditions, name); found != nil {
		return *found
	}
	return metav1.Condition{Type: name, Status: metav1.ConditionUnknown, Reason: "Unknown"}
}
