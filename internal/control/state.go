package control

import (
	"errors"
	"fmt"

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
	if state.HostKey != "" {
		sealed, err := sealer.seal(forHostKey, state.Task.RequestUID, secrets{HostKey: state.HostKey})
		if err != nil {
			return nil, err
		}
		out.HostKey = sealed
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
	if sealed := in.GetHostKey(); len(sealed) > 0 {
		plain, err := opener.open(forHostKey, state.Task.RequestUID, sealed)
		if err != nil {
			return grant.State{}, err
		}
		state.HostKey = plain.HostKey
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
