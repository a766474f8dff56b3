package taskaccessrequest

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/manifest"
)

// Consents finds the administrator's side of a target without a resolver, an outage of
// which ends no session.
type Consents interface {
	Consent(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error)
}

// Provider answers the control channel on every replica: what a task's proxy may
// know and do now. It reads; what it writes of a proxy's report is in report.go.
type Provider struct {
	client.Client
	// Uncached reads around the cache: a grant rests on what the API server says now.
	Uncached client.Reader
	Targets  Consents
	Issuers  credential.Issuers
	HostKeys HostKeys
	// RecordingKey signs segments of recordings.
	RecordingKey ed25519.PrivateKey
	// Stores says where the buckets are, Presign signs for one PUT to them.
	Stores  Locator
	Presign Presigner
	Now     func() time.Time

	notifier
	opening opening
	signed  signatures
}

var (
	_ server.Provider  = (*Provider)(nil)
	_ server.Resolver  = (*Provider)(nil)
	_ server.Sealer    = (*Provider)(nil)
	_ server.Certifier = (*Provider)(nil)
)

// Resolve finds the request of a living proxy pod; name, service account and UID
// must all be that pod's.
func (p *Provider) Resolve(ctx context.Context, caller server.Pod) (string, error) {
	pod, err := lookup.Find[corev1.Pod](ctx, p.Client, v1alpha1.ProxyNamespace, caller.Name)
	if err != nil {
		return "", err
	}
	if pod == nil {
		// The token proves that the pod was there a moment ago: the cache may be behind.
		if pod, err = lookup.Find[corev1.Pod](ctx, p.Uncached, v1alpha1.ProxyNamespace, caller.Name); err != nil {
			return "", err
		}
	}
	uid := ""
	if pod != nil {
		uid = pod.Labels[v1alpha1.LabelRequestUID]
	}
	if uid == "" || string(pod.UID) != caller.UID || pod.Name != manifest.Name(uid) ||
		pod.Spec.ServiceAccountName != caller.ServiceAccount || caller.ServiceAccount != manifest.Name(uid) {
		return "", server.ErrUnknownPod
	}
	return uid, nil
}

// State is what the proxy of a request may know and do now.
func (p *Provider) State(ctx context.Context, uid string) (grant.State, error) {
	request, err := p.request(ctx, uid)
	if err != nil {
		return grant.State{}, err
	}
	if request == nil {
		return gone(uid), nil
	}
	now, err := look(ctx, p.Client, request)
	if err != nil {
		return grant.State{}, err
	}
	phase, why := phaseOf(now, p.Now())
	if phase == grant.Granted || doubtful(now, p.Now()) {
		// Neither a credential, which leaves the house, nor an end, which a proxy does
		// not come back from, rests on what a cache has not seen of request and review.
		if request, err = p.live(ctx, request.Namespace, request.Name, uid); err != nil {
			return grant.State{}, err
		}
		if request == nil {
			return gone(uid), nil
		}
		if now, err = p.confirm(ctx, now, request, phase); err != nil {
			return grant.State{}, err
		}
		phase, why = phaseOf(now, p.Now())
	}
	recording, known := recordingFor(now)
	if !known && phase != grant.Ended {
		return grant.State{}, fmt.Errorf("how to record request %s is not known: its policy or its review is not there", uid)
	}
	state := grant.State{Phase: phase, Task: taskOf(request), Recording: recording}
	if state.HostKey, err = p.hostKey(now); err != nil {
		return grant.State{}, err
	}
	switch phase {
	case grant.Waiting:
		state.Wait = why
	case grant.Ended:
		state.Reason = why
	case grant.Granted:
		if state.Grant, err = p.grant(ctx, now); err != nil {
			return grant.State{}, err
		}
	}
	return state, nil
}

// confirm reads past the cache what a grant or an end rests on. Policy and target of a
// grant are the leader's to watch: a change of theirs ends the request.
func (p *Provider) confirm(ctx context.Context, now view, request *v1alpha1.TaskAccessRequest, phase grant.Phase) (view, error) {
	if phase == grant.Ended {
		return look(ctx, p.Uncached, request)
	}
	var err error
	now.request = request
	now.review, err = ofRequest(ctx, p.Uncached, request)
	return now, err
}

func gone(uid string) grant.State {
	return grant.State{Phase: grant.Ended, Task: grant.Task{RequestUID: uid}, Reason: "the request is gone"}
}

// grant puts together what an approved task gets; only here does a credential's
// secret come up.
func (p *Provider) grant(ctx context.Context, v view) (*grant.Grant, error) {
	question := v.review.Spec.Question
	postgres, ssh, err := p.upstream(ctx, v)
	if err != nil {
		return nil, err
	}
	spec := *v.policy.Spec.DeepCopy()
	var reviewed *v1alpha1.Grant
	if !equality.Semantic.DeepEqual(spec.Grant, question.Grant) {
		reviewed = spec.Grant.DeepCopy()
	}
	spec.Grant = question.Grant
	return &grant.Grant{
		PolicyName: v.policy.Name, PolicyDigest: question.Policy.Digest, Policy: spec, Reviewed: reviewed,
		Review: v.review.Name, Outcome: digest.Review(v.review),
		Deadline: v.request.Status.ExpiresAt.Time,
		Postgres: postgres, SSH: ssh,
	}, nil
}

func (p *Provider) request(ctx context.Context, uid string) (*v1alpha1.TaskAccessRequest, error) {
	list := &v1alpha1.TaskAccessRequestList{}
	if err := p.List(ctx, list, client.MatchingFields{IndexUID: uid}); err != nil {
		return nil, fmt.Errorf("find request: %w", err)
	}
	if len(list.Items) > 0 {
		return &list.Items[0], nil
	}
	// This replica's cache may be behind: the pod says which request it is for.
	pod, err := lookup.Find[corev1.Pod](ctx, p.Uncached, v1alpha1.ProxyNamespace, manifest.Name(uid))
	if err != nil || pod == nil {
		return nil, err
	}
	return p.live(ctx, pod.Labels[v1alpha1.LabelRequestNamespace], pod.Labels[v1alpha1.LabelRequestName], uid)
}

// live is the request of that name as the API server has it, or nil if it is another.
func (p *Provider) live(ctx context.Context, namespace, name, uid string) (*v1alpha1.TaskAccessRequest, error) {
	request, err := lookup.Find[v1alpha1.TaskAccessRequest](ctx, p.Uncached, namespace, name)
	if err != nil || request == nil || string(request.UID) != uid {
		return nil, err
	}
	return request, nil
}
