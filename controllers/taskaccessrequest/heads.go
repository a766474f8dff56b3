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

// mergeSealed takes in a segment that the manager has signed; only later ones replace it.
// One of a session that no report has told of yet waits for it.
func mergeSealed(heads []v1alpha1.RecordingHead, session string, sealed v1alpha1.SealedHead) []v1alpha1.RecordingHead {
	for i := range heads {
		if known := &heads[i]; known.Session == session {
			if known.Sealed == nil || known.Sealed.Segment < sealed.Segment {
				known.Sealed = &sealed
			}
		}
	}
	return heads
}

// newest bounds the heads, and says which sessions went that are signed to their end.
// Those go first, the oldest first: of a live one the manager must know what it signed.
func newest(heads []v1alpha1.RecordingHead) (kept []v1alpha1.RecordingHead, signed []string) {
	for len(heads) > control.MaxHeads {
		at := slices.IndexFunc(heads, over)
		if at < 0 {
			at = 0
		} else {
			signed = append(signed, heads[at].Session)
		}
		heads = slices.Delete(heads, at, at+1)
	}
	return heads, signed
}

func over(head v1alpha1.RecordingHead) bool {
	return head.Complete && head.Sealed != nil && head.Sealed.Sequence >= head.Sequence
}
