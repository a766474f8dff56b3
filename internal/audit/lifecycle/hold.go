package lifecycle

import (
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/ledger"
)

// holder is who can hold recordings: a request's annotation, a policy, the ledger.
type holder struct {
	subject audit.Subject
	data    audit.Hold
	uid     string
	// version of the object: a hold bears no time and no count.
	version string
	seen    time.Time
}

// changed is a hold that was set, lifted or given another reason; nil is none. What was
// set while nobody watched is told as standing.
func (h holder) changed(first bool, was, is *string) []audit.Event {
	tell := func(t audit.Type, reason string, what ...string) []audit.Event {
		h.data.Reason = reason
		return []audit.Event{audit.New(t, h.subject, h.seen, h.data, append([]string{h.uid}, what...)...)}
	}
	switch {
	case is == nil && was == nil:
		return nil
	case is == nil:
		return tell(audit.RecordingHoldCleared, *was, h.version)
	case first:
		return tell(audit.RecordingHoldSet, *is, "standing", *is)
	case was == nil || *was != *is:
		return tell(audit.RecordingHoldSet, *is, h.version)
	}
	return nil
}

func requestHold(old, now *v1alpha1.TaskAccessRequest, seen time.Time) []audit.Event {
	h := holder{subject: subjectOf(now), uid: string(now.UID), version: now.ResourceVersion, seen: seen}
	return h.changed(old == nil, annotatedHold(old), annotatedHold(now))
}

func annotatedHold(request *v1alpha1.TaskAccessRequest) *string {
	if request == nil {
		return nil
	}
	if reason, ok := request.Annotations[v1alpha1.AnnotationLegalHold]; ok {
		return &reason
	}
	return nil
}

// Policy is a legal hold that a policy sets or lifts for all its requests.
func Policy(old, now *v1alpha1.AccessPolicy, seen time.Time) []audit.Event {
	h := holder{data: audit.Hold{Policy: now.Namespace + "/" + now.Name}, uid: string(now.UID), version: now.ResourceVersion, seen: seen}
	return h.changed(old == nil, policyHold(old), policyHold(now))
}

func policyHold(policy *v1alpha1.AccessPolicy) *string {
	if policy == nil || !policy.Spec.Recording.LegalHold {
		return nil
	}
	return new("")
}

// Ledger is what happened to a task's recordings from old to now, whose entry has the
// version: removed by retention, held by the operator's owners.
func Ledger(old, now *ledger.Entry, version string, seen time.Time) []audit.Event {
	subject := audit.Subject{Namespace: now.Namespace, Request: now.Request, UID: now.UID}
	h := holder{subject: subject, data: audit.Hold{Owners: true}, uid: "ledger", version: version, seen: seen}
	events := h.changed(old == nil, ownersHold(old), ownersHold(now))
	if !now.RemovedAt.IsZero() && (old == nil || old.RemovedAt.IsZero()) {
		events = append(events, audit.New(audit.RecordingRemoved, subject, now.RemovedAt, audit.Removed{
			Store: now.Store, RetentionDays: now.RetentionDays, EndedAt: now.ClosedAt, Message: now.Message,
		}))
	}
	return events
}

func ownersHold(entry *ledger.Entry) *string {
	if entry == nil || entry.Hold == "" {
		return nil
	}
	return &entry.Hold
}
