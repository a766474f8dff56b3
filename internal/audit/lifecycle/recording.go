package lifecycle

import (
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
)

// recorded is what the status shows of recordings: what is whole and signed, what is
// not and never will be, what was lost.
func (f *facts) recorded(request *v1alpha1.TaskAccessRequest, seen time.Time) {
	recording := request.Status.Recording
	if recording == nil {
		return
	}
	for _, head := range recording.Head {
		told := audit.Recording{Session: head.Session, Events: head.Sequence, Hash: head.Hash}
		if head.Sealed != nil {
			told.Segments, told.Key = head.Sealed.Segment, head.Sealed.Key
		}
		switch {
		case whole(head):
			f.add(audit.RecordingSealed, seen, told, head.Session)
		case request.Status.ClosedAt != nil:
			f.add(audit.RecordingIncomplete, request.Status.ClosedAt.Time, told, head.Session)
		}
	}
	if recording.Lost != "" {
		f.add(audit.RecordingLost, seen, audit.Lost{BestEffort: recording.BestEffort, Message: recording.Lost})
	}
}

// whole says that a session's recording has its end, signed by the manager.
func whole(head v1alpha1.RecordingHead) bool {
	return head.Complete && head.Sealed != nil && head.Sealed.Sequence >= head.Sequence
}
