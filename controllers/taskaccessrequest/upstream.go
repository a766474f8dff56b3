package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/grant"
	targets "github.com/sallyport/sallyport/internal/target"
)

// upstream is the target of a granted task, with its login there; only here does a
// credential's secret come up.
func (p *Provider) upstream(ctx context.Context, v view) (*grant.PostgresUpstream, *grant.SSHUpstream, error) {
	granted, postgres, ssh := v.review.Spec.Question.Grant, v.target.Spec.Postgres, v.target.Spec.SSH
	if (granted.Postgres == nil || postgres == nil) && (granted.SSH == nil || ssh == nil) {
		return nil, nil, errors.New("the grant and the target speak no common protocol")
	}
	login, err := p.login(ctx, v)
	switch {
	case err != nil:
		return nil, nil, err
	case ssh != nil:
		return nil, &grant.SSHUpstream{
			Host: ssh.Host, Addresses: v.target.Status.Addresses, Port: ssh.Port,
			HostKeys: ssh.HostKeys, HostAuthorities: ssh.HostAuthorities,
			PrivateKey: login.PrivateKey, Password: login.Password,
		}, nil
	}
	return &grant.PostgresUpstream{
		Host: postgres.Host, Addresses: v.target.Status.Addresses, Port: postgres.Port,
		TLSMode: postgres.TLS.Mode, CABundle: postgres.TLS.CABundle,
		Database: granted.Postgres.Database,
		User:     login.User, Password: login.Password,
		ClientCertificate: login.ClientCertificate.Reveal(), ClientKey: login.ClientKey,
	}, nil, nil
}

// hostKey is what the proxy of an SSH target shows clients; empty for other protocols.
func (p *Provider) hostKey(v view) (grant.Secret, error) {
	ssh := v.target != nil && v.target.Spec.SSH != nil ||
		v.review != nil && targets.ProtocolOf(v.review.Spec.Question.Grant) == v1alpha1.ProtocolSSH
	if !ssh {
		return "", nil
	}
	private, _, err := p.HostKeys.HostKey(string(v.request.UID))
	return private, err
}

// login is the task's credential. A state is put together anew at every heartbeat: what
// is derived asks neither resolver nor Secret, so that an outage of theirs ends no
// session; addresses are those of the target's status, which the network policy names too.
func (p *Provider) login(ctx context.Context, v view) (credential.Login, error) {
	issued := v.request.Status.Credential
	kind := credential.Kind{Protocol: targets.ProtocolOf(v.review.Spec.Question.Grant), Type: issued.Type}
	issuer, ok := p.Issuers[kind]
	if !ok {
		return credential.Login{}, fmt.Errorf("no issuer for %s credential %s", kind.Protocol, kind.Type)
	}
	target := credential.Target{Name: v.target.Name, Namespace: v.target.Namespace, Spec: v.target.Spec}
	if issued.Type == v1alpha1.CredentialStatic {
		var err error
		if target, err = p.Targets.Consent(ctx, v.target); err != nil {
			return credential.Login{}, err
		}
	}
	login, err := issuer.Login(target, credential.Request{UID: string(v.request.UID), Generation: issued.Generation})
	if err != nil {
		return credential.Login{}, fmt.Errorf("credential: %w", err)
	}
	return login, nil
}
