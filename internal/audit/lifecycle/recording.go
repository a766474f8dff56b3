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

// requestHold is a legal hold that was set or lifted. An annotation bears no time and
// no count: what was set while nobody watched is told as standing.
func requestHold(old, now *v1alpha1.TaskAccessRequest, seen time.Time) []audit.Event {
	was, held := "", false
	if old != nil {
		was, held = old.Annotations[v1alpha1.AnnotationLegalHold], hasHold(old)
	}
	reason, holds := now.Annotations[v1alpha1.AnnotationLegalHold], hasHold(now)
	switch {
	case old == nil && holds:
		return []audit.Event{audit.New(audit.RecordingHoldSet, subjectOf(now), seen, audit.Hold{Reason: reason}, "standing", reason)}
	case holds && (!held || reason != was):
		return []audit.Event{audit.New(audit.RecordingHoldSet, subjectOf(now), seen, audit.Hold{Reason: reason}, now.ResourceVersion)}
	case held && !holds:
		return []audit.Event{audit.New(audit.RecordingHoldCleared, subjectOf(now), seen, audit.Hold{Reason: was}, now.ResourceVersion)}
	}
	return nil
}

func hasHold(request *v1alpha1.TaskAccessRequest) bool {
	_, ok := request.Annotations[v1alpha1.AnnotationLegalHold]
	return ok
}

// Policy is a legal hold that a policy sets or lifts for all its requests.
func Policy(old, now *v1alpha1.AccessPolicy, seen time.Time) []audit.Event {
	held := old != nil && old.Spec.Recording.LegalHold
	hold := audit.Hold{Policy: now.Namespace + "/" + now.Name}
	what := []string{string(now.UID), now.ResourceVersion}
	switch holds := now.Spec.Recording.LegalHold; {
	case old == nil && holds:
		return []audit.Event{audit.New(audit.RecordingHoldSet, audit.Subject{}, seen, hold, string(now.UID), "standing")}
	case holds && !held:
		return []audit.Event{audit.New(audit.RecordingHoldSet, audit.Subject{}, seen, hold, what...)}
	case held && !holds:
		return []audit.Event{audit.New(audit.RecordingHoldCleared, audit.Subject{}, seen, hold, what...)}
	}
	return nil
}
