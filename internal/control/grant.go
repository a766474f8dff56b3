package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/grant"
)

func encodeGrant(requestUID string, g *grant.Grant, sealer *Sealer) (*controlpb.Grant, error) {
	policy, err := json.Marshal(g.Policy)
	if err != nil {
		return nil, fmt.Errorf("encode a grant: its policy: %w", err)
	}
	out := &controlpb.Grant{
		PolicyName: g.PolicyName, PolicyDigest: g.PolicyDigest, Policy: policy, Deadline: g.Deadline.UnixNano(),
		Review: g.Review, Outcome: g.Outcome,
	}
	if g.Reviewed != nil {
		if out.Reviewed, err = json.Marshal(g.Reviewed); err != nil {
			return nil, fmt.Errorf("encode a grant: its policy's own: %w", err)
		}
	}
	if g.Deadline.IsZero() {
		return nil, errors.New("encode a grant: it has no deadline")
	}
	if out.Postgres, err = encodePostgres(requestUID, g.Postgres, sealer); err != nil {
		return nil, err
	}
	if out.Ssh, err = encodeSSH(requestUID, g.SSH, sealer); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeGrant(requestUID string, in *controlpb.Grant, opener *Opener) (*grant.Grant, error) {
	if in == nil || in.GetDeadline() == 0 {
		return nil, errors.New("the manager sent a grant without content or deadline")
	}
	out := &grant.Grant{
		PolicyName: in.GetPolicyName(), PolicyDigest: in.GetPolicyDigest(), Deadline: time.Unix(0, in.GetDeadline()).UTC(),
		Review: in.GetReview(), Outcome: in.GetOutcome(),
	}
	if err := json.Unmarshal(in.GetPolicy(), &out.Policy); err != nil {
		return nil, fmt.Errorf("read the grant's policy: %w", err)
	}
	if own := in.GetReviewed(); len(own) > 0 {
		if err := json.Unmarshal(own, &out.Reviewed); err != nil {
			return nil, fmt.Errorf("read the policy's own grant: %w", err)
		}
	}
	var err error
	if out.Postgres, err = decodePostgres(requestUID, in.GetPostgres(), opener); err != nil {
		return nil, err
	}
	if out.SSH, err = decodeSSH(requestUID, in.GetSsh(), opener); err != nil {
		return nil, err
	}
	return out, nil
}

func encodePostgres(requestUID string, p *grant.PostgresUpstream, sealer *Sealer) (*controlpb.PostgresUpstream, error) {
	if p == nil {
		return nil, nil
	}
	sealed, err := sealer.seal(forPostgres, requestUID, secrets{Password: p.Password, ClientKey: p.ClientKey})
	if err != nil {
		return nil, err
	}
	return &controlpb.PostgresUpstream{
		Host: p.Host, Addresses: p.Addresses, Port: p.Port,
		TlsMode: string(p.TLSMode), CaBundle: p.CABundle,
		Database: p.Database, User: p.User, ClientCertificate: p.ClientCertificate,
		Sealed: sealed,
	}, nil
}

func decodePostgres(requestUID string, p *controlpb.PostgresUpstream, opener *Opener) (*grant.PostgresUpstream, error) {
	if p == nil {
		return nil, nil
	}
	plain, err := opener.open(forPostgres, requestUID, p.GetSealed())
	if err != nil {
		return nil, err
	}
	return &grant.PostgresUpstream{
		Host: p.GetHost(), Addresses: p.GetAddresses(), Port: p.GetPort(),
		TLSMode: v1alpha1.PostgresTLSMode(p.GetTlsMode()), CABundle: p.GetCaBundle(),
		Database: p.GetDatabase(), User: p.GetUser(),
		Password:          plain.Password,
		ClientCertificate: p.GetClientCertificate(), ClientKey: plain.ClientKey,
	}, nil
}

func encodeSSH(requestUID string, u *grant.SSHUpstream, sealer *Sealer) (*controlpb.SSHUpstream, error) {
	if u == nil {
		return nil, nil
	}
	sealed, err := sealer.seal(forSSH, requestUID, secrets{PrivateKey: u.PrivateKey, Password: u.Password})
	if err != nil {
		return nil, err
	}
	return &controlpb.SSHUpstream{
		Host: u.Host, Addresses: u.Addresses, Port: u.Port,
		HostKeys: u.HostKeys, HostAuthorities: u.HostAuthorities, Sealed: sealed,
	}, nil
}

func decodeSSH(requestUID string, u *controlpb.SSHUpstream, opener *Opener) (*grant.SSHUpstream, error) {
	if u == nil {
		return nil, nil
	}
	plain, err := opener.open(forSSH, requestUID, u.GetSealed())
	if err != nil {
		return nil, err
	}
	return &grant.SSHUpstream{
		Host: u.GetHost(), Addresses: u.GetAddresses(), Port: u.GetPort(),
		HostKeys: u.GetHostKeys(), HostAuthorities: u.GetHostAuthorities(),
		PrivateKey: plain.PrivateKey, Password: plain.Password,
	}, nil
}
