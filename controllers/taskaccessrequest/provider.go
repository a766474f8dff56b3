package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/manifest"
)

// Provider answers the control channel on every replica: what a task's proxy may
// know and do now. It reads; what it writes of a proxy's report is in report.go.
type Provider struct {
	client.Client
	// Uncached reads around the cache: a grant rests on what the API server says now.
	Uncached client.Reader
	Targets  Targets
	Issuers  map[v1alpha1.CredentialType]credential.Issuer
	Now      func() time.Time

	notifier
}

var (
	_ server.Provider = (*Provider)(nil)
	_ server.Resolver = (*Provider)(nil)
)

// Resolve finds the request of a living proxy pod; name, service account and UID
// must all be that pod's.
func (p *Provider) Resolve(ctx context.Context, caller server.Pod) (string, error) {
	pod, err := find[corev1.Pod](ctx, p.Client, v1alpha1.ProxyNamespace, caller.Name)
	if err != nil {
		return "", err
	}
	if pod == nil {
		// The token proves that the pod was there a moment ago: the cache may be behind.
		if pod, err = find[corev1.Pod](ctx, p.Uncached, v1alpha1.ProxyNamespace, caller.Name); err != nil {
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
		return grant.State{Phase: grant.Ended, Task: grant.Task{RequestUID: uid}, Reason: "the request is gone"}, nil
	}
	now, err := p.view(ctx, p.Client, request)
	if err != nil {
		return grant.State{}, err
	}
	phase, why := phaseOf(now, p.Now())
	if phase == grant.Granted {
		// Before a credential leaves the house, request and review are read past the cache.
		if request, err = find[v1alpha1.TaskAccessRequest](ctx, p.Uncached, request.Namespace, request.Name); err != nil {
			return grant.State{}, err
		}
		if request == nil || string(request.UID) != uid {
			return grant.State{Phase: grant.Ended, Task: grant.Task{RequestUID: uid}, Reason: "the request is gone"}, nil
		}
		now.request = request
		if now.review, err = ofRequest(ctx, p.Uncached, request); err != nil {
			return grant.State{}, err
		}
		phase, why = phaseOf(now, p.Now())
	}
	state := grant.State{Phase: phase, Task: taskOf(request)}
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

// grant puts together what an approved task gets; only here does a credential's
// secret come up.
func (p *Provider) grant(ctx context.Context, v view) (*grant.Grant, error) {
	question := v.review.Spec.Question
	if question.Grant.Postgres == nil || v.target.Spec.Postgres == nil {
		return nil, errors.New("the grant and the target speak no common protocol")
	}
	target, err := p.Targets.Resolve(ctx, v.target)
	if err != nil {
		return nil, err
	}
	issuer, ok := p.Issuers[v.request.Status.Credential.Type]
	if !ok {
		return nil, fmt.Errorf("no issuer for credential %s", v.request.Status.Credential.Type)
	}
	login, err := issuer.Login(target, credential.Request{UID: string(v.request.UID), Generation: v.request.Status.Credential.Generation})
	if err != nil {
		return nil, fmt.Errorf("credential: %w", err)
	}
	spec := *v.policy.Spec.DeepCopy()
	spec.Grant = question.Grant
	return &grant.Grant{
		PolicyName: v.policy.Name, PolicyDigest: question.Policy.Digest, Policy: spec,
		Deadline: v.request.Status.ExpiresAt.Time,
		Postgres: &grant.PostgresUpstream{
			Host: v.target.Spec.Postgres.Host, Addresses: target.Addresses, Port: v.target.Spec.Postgres.Port,
			TLSMode: v.target.Spec.Postgres.TLS.Mode, CABundle: v.target.Spec.Postgres.TLS.CABundle,
			Database: question.Grant.Postgres.Database,
			User:     login.User, Password: login.Password,
			ClientCertificate: login.ClientCertificate.Reveal(), ClientKey: login.ClientKey,
		},
	}, nil
}

func (p *Provider) request(ctx context.Context, uid string) (*v1alpha1.TaskAccessRequest, error) {
	list := &v1alpha1.TaskAccessRequestList{}
	if err := p.List(ctx, list, client.MatchingFields{IndexUID: uid}); err != nil {
		return nil, fmt.Errorf("find request: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return &list.Items[0], nil
}

func (p *Provider) view(ctx context.Context, reader client.Reader, request *v1alpha1.TaskAccessRequest) (view, error) {
	v := view{request: request}
	var err error
	if v.review, err = ofRequest(ctx, reader, request); err != nil {
		return v, err
	}
	if v.target, err = find[v1alpha1.AccessTarget](ctx, reader, request.Namespace, request.Spec.Target); err != nil {
		return v, err
	}
	if v.review != nil {
		if v.policy, err = find[v1alpha1.AccessPolicy](ctx, reader, request.Namespace, v.review.Spec.Question.Policy.Name); err != nil {
			return v, err
		}
	}
	v.pod, err = find[corev1.Pod](ctx, reader, v1alpha1.ProxyNamespace, manifest.Name(string(request.UID)))
	return v, err
}
