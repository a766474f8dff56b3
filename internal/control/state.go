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

var phases = map[grant.Phase]controlpb.Phase{
	grant.Waiting: controlpb.Phase_PHASE_WAITING,
	grant.Granted: controlpb.Phase_PHASE_GRANTED,
	grant.Ended:   controlpb.Phase_PHASE_ENDED,
}

// EncodeState puts a state on the wire, its secrets sealed. A grant leaves only with
// phase Granted.
func EncodeState(state grant.State, sealer *Sealer) (*controlpb.State, error) {
	phase, ok := phases[state.Phase]
	if !ok {
		return nil, fmt.Errorf("encode a state: unknown phase %q", state.Phase)
	}
	out := &controlpb.State{
		Phase: phase, Task: encodeTask(state.Task), Wait: state.Wait, Reason: state.Reason, Recording: encodeRecording(state.Recording),
	}
	if state.Phase != grant.Granted {
		return out, nil
	}
	if state.Grant == nil {
		return nil, errors.New("encode a state: it is granted, but holds no grant")
	}
	encoded, err := encodeGrant(state.Task.RequestUID, state.Grant, sealer)
	if err != nil {
		return nil, err
	}
	out.Grant = encoded
	return out, nil
}

// DecodeState reads a state from the wire. What it does not understand is no grant.
func DecodeState(in *controlpb.State, opener *Opener) (grant.State, error) {
	state := grant.State{
		Phase: grant.Waiting, Task: decodeTask(in.GetTask()), Wait: in.GetWait(), Reason: in.GetReason(),
		Recording: decodeRecording(in.GetRecording()),
	}
	switch in.GetPhase() {
	case controlpb.Phase_PHASE_ENDED:
		state.Phase = grant.Ended
	case controlpb.Phase_PHASE_GRANTED:
		decoded, err := decodeGrant(state.Task.RequestUID, in.GetGrant(), opener)
		if err != nil {
			return grant.State{}, err
		}
		state.Phase, state.Grant = grant.Granted, decoded
	default: // waiting, and whatever a newer manager calls a phase
	}
	return state, nil
}

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
	if p := g.Postgres; p != nil {
		sealed, err := sealer.seal(requestUID, secrets{Password: p.Password, ClientKey: p.ClientKey})
		if err != nil {
			return nil, err
		}
		out.Postgres = &controlpb.PostgresUpstream{
			Host: p.Host, Addresses: p.Addresses, Port: p.Port,
			TlsMode: string(p.TLSMode), CaBundle: p.CABundle,
			Database: p.Database, User: p.User, ClientCertificate: p.ClientCertificate,
			Sealed: sealed,
		}
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
	if p := in.GetPostgres(); p != nil {
		plain, err := opener.open(requestUID, p.GetSealed())
		if err != nil {
			return nil, err
		}
		out.Postgres = &grant.PostgresUpstream{
			Host: p.GetHost(), Addresses: p.GetAddresses(), Port: p.GetPort(),
			TLSMode: v1alpha1.PostgresTLSMode(p.GetTlsMode()), CABundle: p.GetCaBundle(),
			Database: p.GetDatabase(), User: p.GetUser(),
			Password:          plain.Password,
			ClientCertificate: p.GetClientCertificate(), ClientKey: plain.ClientKey,
		}
	}
	return out, nil
}

func encodeTask(t grant.Task) *controlpb.Task {
	return &controlpb.Task{
		RequestUid: t.RequestUID, Request: t.Request, Namespace: t.Namespace,
		Id: t.ID, Type: t.Type, Url: t.URL, Reviewer: t.Reviewer,
		Requester: t.Requester, Groups: t.Groups, Target: t.Target, ClientKeys: t.ClientKeys,
	}
}

func decodeTask(t *controlpb.Task) grant.Task {
	return grant.Task{
		RequestUID: t.GetRequestUid(), Request: t.GetRequest(), Namespace: t.GetNamespace(),
		ID: t.GetId(), Type: t.GetType(), URL: t.GetUrl(), Reviewer: t.GetReviewer(),
		Requester: t.GetRequester(), Groups: t.GetGroups(), Target: t.GetTarget(), ClientKeys: t.GetClientKeys(),
	}
}

func encodeRecording(r grant.Recording) *controlpb.Recording {
	return &controlpb.Recording{
		Store: string(r.Store), Durability: string(r.Durability), BestEffort: r.BestEffort, Recipients: r.Recipients,
	}
}

func decodeRecording(r *controlpb.Recording) grant.Recording {
	return grant.Recording{
		Store: grant.StoreKind(r.GetStore()), Durability: v1alpha1.Durability(r.GetDurability()),
		BestEffort: r.GetBestEffort(), Recipients: r.GetRecipients(),
	}
}
