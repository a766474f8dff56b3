package control

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/sallyport/sallyport/internal/control/controlpb"
)

// AuditType names what happened in the data path.
type AuditType string

// The events of the data path that the manager passes on.
const (
	AuditSessionBegan     AuditType = "session.began"
	AuditSessionEnded     AuditType = "session.ended"
	AuditOperationHeld    AuditType = "operation.held"
	AuditOperationDecided AuditType = "operation.decided"
	AuditOperationDenied  AuditType = "operation.denied"
)

// auditPattern takes types of newer proxies, too.
var auditPattern = regexp.MustCompile(`^[a-z]{1,32}\.[a-z]{1,32}$`)

// AuditEvent is one of them. Session and Sequence name it: it may arrive more than once,
// by way of several of the manager's replicas, too.
type AuditEvent struct {
	// Sequence within the session, from 1.
	Sequence int64
	Time     time.Time
	Type     AuditType
	Session  string
	// Operation's number in the recording; 0 for a session's own events.
	Operation int64
	// Kind of operation: "update". An event never holds an operation's text.
	Kind string
	Rule string
	// Review and its Outcome, of an operation that was held.
	Review, Outcome string
	// Allowed and Refused count the operations of a session that has ended.
	Allowed, Refused int64
	// Message is the policy's or the reviewers' words, or why a session has ended; clients
	// can have a part in it.
	Message string
}

// encodeAudit keeps the newest events, and counts the others as missed.
func encodeAudit(events []AuditEvent, missed int64) ([]*controlpb.AuditEvent, int64) {
	if extra := len(events) - MaxAudit; extra > 0 {
		events, missed = events[extra:], missed+int64(extra)
	}
	out := make([]*controlpb.AuditEvent, len(events))
	for i, e := range events {
		out[i] = &controlpb.AuditEvent{
			Sequence: e.Sequence, Time: e.Time.UnixNano(), Type: string(e.Type), Session: e.Session, Operation: e.Operation,
			Kind: truncate(e.Kind), Rule: truncate(e.Rule), Review: truncate(e.Review), Outcome: truncate(e.Outcome), Message: truncate(e.Message),
			Allowed: e.Allowed, Refused: e.Refused,
		}
	}
	return out, missed
}

func decodeAudit(in *controlpb.Report) ([]AuditEvent, int64, error) {
	if len(in.GetAudit()) > MaxAudit || in.GetAuditMissed() < 0 {
		return nil, 0, fmt.Errorf("the report has %d audit events, more than %d", len(in.GetAudit()), MaxAudit)
	}
	var events []AuditEvent
	for _, e := range in.GetAudit() {
		event := AuditEvent{
			Sequence: e.GetSequence(), Time: time.Unix(0, e.GetTime()).UTC(), Type: AuditType(e.GetType()), Session: e.GetSession(),
			Operation: e.GetOperation(), Kind: e.GetKind(), Rule: e.GetRule(), Review: e.GetReview(), Outcome: e.GetOutcome(), Message: e.GetMessage(),
			Allowed: e.GetAllowed(), Refused: e.GetRefused(),
		}
		if !event.sound() {
			return nil, 0, errors.New("the report has an audit event that is none")
		}
		events = append(events, event)
	}
	return events, in.GetAuditMissed(), nil
}

func (e AuditEvent) sound() bool {
	for _, line := range []string{e.Kind, e.Rule, e.Review, e.Outcome, e.Message} {
		if !printable(line) {
			return false
		}
	}
	return auditPattern.MatchString(string(e.Type)) && e.Sequence > 0 && e.Operation >= 0 && e.Allowed >= 0 && e.Refused >= 0 && sessionPattern.MatchString(e.Session)
}
