package taskaccessrequest

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/keys"
	"github.com/sallyport/sallyport/internal/manifest"
	targets "github.com/sallyport/sallyport/internal/target"
)

// proxySlack is how much longer than its task a pod may live, for teardown.
const proxySlack = 30

// proxy starts the task's proxy, without a credential, and keeps it running: a pod
// that was deleted or has failed is replaced.
func (r *Reconciler) proxy(ctx context.Context, s *scope) (outcome, error) {
	if s.pod == nil && s.status.GrantedAt == nil {
		over, err := r.overQuota(ctx, s.request)
		if err != nil {
			return stop, err
		}
		if over {
			message := fmt.Sprintf("%s has %d open requests already: close one", s.request.Spec.Requester.Username, r.MaxOpenPerPerson)
			s.set(v1alpha1.ConditionProxyReady, metav1.ConditionFalse, "Quota", message)
			s.state(v1alpha1.ReasonPending, message)
			return again(10 * time.Second), nil
		}
	}
	if finished(s.pod) {
		if err := r.Delete(ctx, s.pod, client.Preconditions{UID: &s.pod.UID}); client.IgnoreNotFound(err) != nil {
			return stop, fmt.Errorf("replace proxy: %w", err)
		}
		return again(time.Second), nil
	}
	if err := r.keepRecordings(ctx, s); err != nil {
		return stop, err
	}
	upstream, store, missing := r.peers(ctx, s)
	if missing != "" {
		return s.withoutPeers(missing)
	}
	if err := r.ensureNetworkPolicy(ctx, manifest.NetworkPolicy(s.request, upstream, store)); err != nil {
		return stop, err
	}
	// The network policy is there before the pod is, the identity before its rights.
	for _, object := range []client.Object{
		manifest.ServiceAccount(s.request), manifest.Service(s.request, upstream),
		manifest.Role(s.request), manifest.RoleBinding(s.request),
	} {
		if err := r.ensure(ctx, object); err != nil {
			return stop, err
		}
	}
	if s.pod == nil {
		pod := manifest.Pod(s.request, upstream, r.Settings, store, podDeadline(s))
		if err := r.Create(ctx, pod); client.IgnoreAlreadyExists(err) != nil {
			return stop, fmt.Errorf("start proxy: %w", err)
		}
		s.pod = pod
	}
	endpoint, err := r.endpoint(s)
	if err != nil {
		return stop, err
	}
	s.status.Endpoint = endpoint
	ready, reason, message := podReady(s.pod)
	s.set(v1alpha1.ConditionProxyReady, ready, reason, message)
	return next, nil
}

// peers is where the proxy may connect to, or why that is not known.
func (r *Reconciler) peers(ctx context.Context, s *scope) (upstream manifest.Upstream, store manifest.Store, missing string) {
	if s.target == nil || len(s.target.Status.Addresses) == 0 {
		return upstream, store, "target " + s.request.Spec.Target + " is not ready: its address is not known"
	}
	endpoint, ok := targets.EndpointOf(s.target.Spec)
	if !ok {
		return upstream, store, "target " + s.target.Name + " is of no protocol that is served here"
	}
	store, err := r.store(ctx, s)
	if err != nil {
		return upstream, store, "recordings have no place to go: " + err.Error()
	}
	return manifest.Upstream{Protocol: endpoint.Protocol, Addresses: s.target.Status.Addresses, Port: endpoint.Port}, store, ""
}

// withoutPeers waits for addresses. A task that was granted stays what it is: a proxy
// that runs has its network policy already, and an outage of a resolver is none of its
// sessions.
func (s *scope) withoutPeers(missing string) (outcome, error) {
	granted := s.status.GrantedAt != nil
	if granted && s.pod != nil {
		ready, reason, message := podReady(s.pod)
		s.set(v1alpha1.ConditionProxyReady, ready, reason, message)
		return next, nil
	}
	s.set(v1alpha1.ConditionProxyReady, metav1.ConditionFalse, v1alpha1.ReasonUnreachable, missing)
	if !granted {
		s.state(v1alpha1.ReasonPending, missing)
	}
	return again(10 * time.Second), nil
}

// ensure creates an object unless it is there. What it builds never changes for a
// request, and nobody else may write where it is.
func (r *Reconciler) ensure(ctx context.Context, object client.Object) error {
	there := object.DeepCopyObject().(client.Object)
	err := r.Get(ctx, client.ObjectKeyFromObject(object), there)
	if apierrors.IsNotFound(err) {
		err = client.IgnoreAlreadyExists(r.Create(ctx, object))
	}
	if err != nil {
		return fmt.Errorf("ensure %T: %w", object, err)
	}
	return nil
}

// ensureNetworkPolicy also follows a target whose addresses change.
func (r *Reconciler) ensureNetworkPolicy(ctx context.Context, wanted *networkingv1.NetworkPolicy) error {
	there, err := lookup.Find[networkingv1.NetworkPolicy](ctx, r.Client, wanted.Namespace, wanted.Name)
	switch {
	case err != nil:
		return err
	case there == nil:
		return client.IgnoreAlreadyExists(r.Create(ctx, wanted))
	case equality.Semantic.DeepEqual(there.Spec, wanted.Spec):
		return nil
	}
	wanted.ResourceVersion = there.ResourceVersion
	return r.Update(ctx, wanted)
}

// podDeadline is the longest that a proxy may be needed: until its review expires or
// an approval of its last moment lapses, and then as long as was asked for; after the grant, what is left of that.
func podDeadline(s *scope) int64 {
	if s.status.GrantedAt != nil {
		return max(int64(s.status.ExpiresAt.Sub(s.now).Seconds()), 1) + proxySlack
	}
	review := max(int64(s.review.Spec.Question.ExpiresAt.Sub(s.now).Seconds()), 0)
	return review + int64(approvalHolds.Seconds()) + int64(s.review.Spec.Question.DurationSeconds) + proxySlack
}

func finished(pod *corev1.Pod) bool {
	return pod != nil && pod.DeletionTimestamp.IsZero() &&
		(pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded)
}

// podReady puts a pod's state in a condition's words.
func podReady(pod *corev1.Pod) (metav1.ConditionStatus, string, string) {
	if !pod.DeletionTimestamp.IsZero() {
		return metav1.ConditionFalse, "Replacing", "the proxy pod is being replaced"
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return metav1.ConditionTrue, v1alpha1.ReasonReady, "pod " + pod.Name
		}
	}
	for _, container := range pod.Status.ContainerStatuses {
		if waiting := container.State.Waiting; waiting != nil && waiting.Reason != "" {
			return metav1.ConditionFalse, "Starting", "the proxy's container waits: " + waiting.Reason
		}
	}
	return metav1.ConditionFalse, "Starting", "the proxy pod is starting"
}

// endpoint is where clients find the proxy, and how they know it.
func (r *Reconciler) endpoint(s *scope) (*v1alpha1.Endpoint, error) {
	name, granted := manifest.Name(s.uid()), s.review.Spec.Question.Grant
	e := &v1alpha1.Endpoint{
		Namespace: v1alpha1.ProxyNamespace, Pod: name, Service: name, Port: manifest.ListenPort(targets.ProtocolOf(granted)),
		ServerName: keys.TaskName(s.uid()),
	}
	if granted.Postgres != nil {
		e.CABundle, e.Database = r.Settings.ControlCA, granted.Postgres.Database
	}
	if granted.SSH != nil {
		_, public, err := r.HostKeys.HostKey(s.uid())
		if err != nil {
			return nil, err
		}
		e.HostKey, e.Logins = public, granted.SSH.Logins
	}
	return e, nil
}

// overQuota counts the requester's open requests that are older, so that the oldest
// keep their place, and those that have a proxy already: of many that were made in one
// second, each may be the oldest when it is looked at.
func (r *Reconciler) overQuota(ctx context.Context, request *v1alpha1.TaskAccessRequest) (bool, error) {
	list := &v1alpha1.TaskAccessRequestList{}
	if err := r.List(ctx, list, client.MatchingFields{IndexRequester: request.Spec.Requester.Username}); err != nil {
		return false, fmt.Errorf("count open requests: %w", err)
	}
	ahead := slices.DeleteFunc(list.Items, func(other v1alpha1.TaskAccessRequest) bool {
		return other.UID == request.UID || other.Status.ClosedAt != nil || other.Spec.State == v1alpha1.StateClosed ||
			other.Status.Endpoint == nil && !before(&other, request)
	})
	return len(ahead) >= r.MaxOpenPerPerson, nil
}

// before orders requests by age, and those of one second by UID.
func before(a, b *v1alpha1.TaskAccessRequest) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.UID < b.UID
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}
