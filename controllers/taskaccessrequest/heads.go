package taskaccessrequest

import (
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
)

// maxLost is the schema's bound of a recording's lost.
const maxLost = 512

// reported is the part of a recording's status that the reporter owns; nil without any.
func reported(recording *v1alpha1.RecordingStatus) *v1alpha1.RecordingStatus {
	if recording == nil || recording.Lost == "" && len(recording.Head) == 0 {
		return nil
	}
	return &v1alpha1.RecordingStatus{Lost: recording.Lost, Head: slices.Clone(recording.Head)}
}

// recordingOf merges reported heads with the known ones: a head of a session only
// ever moves on, what was lost stays lost, and a replaced proxy does not take an earlier
// one's along. Signatures are not the proxy's word: they come from who signed.
func recordingOf(old *v1alpha1.RecordingStatus, report control.Report) *v1alpha1.RecordingStatus {
	recording := &v1alpha1.RecordingStatus{}
	if known := reported(old); known != nil {
		recording = known
	}
	if report.Lost != "" {
		recording.Lost = wording.Fit(report.Lost, maxLost)
	}
	for _, head := range report.Heads {
		recording.Head = mergeHead(recording.Head, head)
	}
	return reported(recording)
}

func mergeHead(heads []v1alpha1.RecordingHead, head record.Head) []v1alpha1.RecordingHead {
	for i := range heads {
		if known := &heads[i]; known.Session == head.Session {
			if head.Sequence > known.Sequence && !known.Complete {
				known.Sequence, known.Hash, known.Complete = head.Sequence, head.Hash, head.Complete
			}
			return heads
		}
	}
	return append(heads, v1alpha1.RecordingHead{Session: head.Session, Sequence: head.Sequence, Hash: head.Hash, Complete: head.Complete})
}

// linkIn is what a statement is to be tied to, by the status. What this replica has seen
// signed, and the status has let go, is not gone on from: the ledger has retired it.
func linkIn(recording *v1alpha1.RecordingStatus, statement record.Statement, before int64) (record.Link, error) {
	if recording != nil {
		for _, head := range recording.Head {
			if head.Session == statement.Session && head.Sealed != nil {
				return linkOf(*head.Sealed, statement), nil
			}
		}
	}
	if before > 0 {
		return record.Link{}, unsigned("session %s is signed as far as the request's status could tell of it", statement.Session)
	}
	return record.Link{}, nil
}

// withSigned takes in a segment that is being signed, unless it contradicts what the
// status says is signed. A session that no report has told of gets a head by it: what is
// signed must be known.
func withSigned(recording *v1alpha1.RecordingStatus, signature record.Signature) (*v1alpha1.RecordingStatus, error) {
	if recording == nil {
		recording = &v1alpha1.RecordingStatus{}
	}
	sealed := sealedOf(signature)
	for i := range recording.Head {
		known := &recording.Head[i]
		if known.Session != signature.Session {
			continue
		}
		if known.Sealed != nil {
			if err := follows(*known.Sealed, over(*known), signature.Statement); err != nil {
				return reported(recording), err
			}
		}
		if signature.Complete {
			if err := complete(known, signature.Statement); err != nil {
				return reported(recording), err
			}
		}
		known.Sealed = &sealed
		return recording, nil
	}
	hash, err := record.SealedHead(signature.Statement)
	if err != nil {
		return reported(recording), unsigned("%v", err)
	}
	recording.Head = append(recording.Head, v1alpha1.RecordingHead{
		Session: signature.Session, Sequence: signature.Last, Hash: hash, Complete: signature.Complete, Sealed: &sealed,
	})
	return recording, nil
}

// complete moves a head on to the end that is being signed: that it is the end must not wait
// for its proxy to say so.
func complete(known *v1alpha1.RecordingHead, statement record.Statement) error {
	if known.Sequence > statement.Last {
		return unsigned("session %s has reported %d events, and is to end with %d", statement.Session, known.Sequence, statement.Last)
	}
	hash, err := record.SealedHead(statement)
	if err != nil {
		return unsigned("%v", err)
	}
	if known.Sequence < statement.Last {
		known.Sequence, known.Hash = statement.Last, hash
	}
	known.Complete = true
	return nil
}

// newest bounds the heads, and says which sessions went of which something is signed.
// Those that are signed to their end go first, the oldest first.
func newest(heads []v1alpha1.RecordingHead) (kept []v1alpha1.RecordingHead, signed []string) {
	for len(heads) > control.MaxHeads {
		at := max(slices.IndexFunc(heads, over), 0)
		if heads[at].Sealed != nil {
			signed = append(signed, heads[at].Session)
		}
		heads = slices.Delete(heads, at, at+1)
	}
	return heads, signed
}

func over(head v1alpha1.RecordingHead) bool {
	return head.Complete && head.Sealed != nil && head.Sealed.Sequence >= head.Sequence
}
