// Package datapath tells the audit stream what proxies report of sessions and
// operations. It is the proxies' word; what reviewers decide about a held operation is
// told from its review, by package lifecycle.
package datapath

import (
	"fmt"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/control"
)

// remembered bounds how many events are known for told: a report has 64 at most, so
// that is a thousand busy tasks.
const remembered = 64 << 10

// Teller tells each event of each report once, although reports repeat them.
type Teller struct {
	sink audit.Sink
	now  func() time.Time
	told *lru.Cache[string, struct{}]
}

// New makes a teller.
func New(sink audit.Sink, now func() time.Time) (*Teller, error) {
	told, err := lru.New[string, struct{}](remembered)
	if err != nil {
		return nil, fmt.Errorf("remember what was told: %w", err)
	}
	return &Teller{sink: sink, now: now, told: told}, nil
}

// Tell emits what a report of a request's proxy has that was not told yet.
func (t *Teller) Tell(request *v1alpha1.TaskAccessRequest, report control.Report) {
	subject := audit.Subject{Namespace: request.Namespace, Request: request.Name, UID: string(request.UID)}
	for _, event := range events(subject, report, t.now()) {
		if known, _ := t.told.ContainsOrAdd(event.ID, struct{}{}); !known {
			t.sink.Emit(event)
		}
	}
}

// events are those of a report, in its order.
func events(subject audit.Subject, report control.Report, now time.Time) []audit.Event {
	var out []audit.Event
	if report.AuditMissed > 0 {
		out = append(out, audit.New(audit.StreamDropped, subject, now, audit.Dropped{Count: report.AuditMissed, By: "proxy"},
			strconv.FormatInt(report.AuditMissed, 10)))
	}
	for _, e := range report.Audit {
		if t, data, ok := meaning(e, report); ok {
			out = append(out, audit.New(t, subject, e.Time, data, e.Session, strconv.FormatInt(e.Sequence, 10)))
		}
	}
	return out
}

// meaning is what an event of a report is told as. Types of newer proxies are not
// known, and not told.
func meaning(e control.AuditEvent, report control.Report) (audit.Type, any, bool) {
	operation := audit.Operation{
		Operation: e.Session + "/" + strconv.FormatInt(e.Operation, 10),
		Kind:      e.Kind, Rule: e.Rule, Review: e.Review, Message: e.Message, By: "Policy",
	}
	switch e.Type {
	case control.AuditSessionBegan:
		return audit.SessionBegun, audit.Session{Session: e.Session, Message: e.Message}, true
	case control.AuditSessionEnded:
		ended := audit.Session{Session: e.Session, Message: e.Message, Allowed: e.Allowed, Denied: e.Refused}
		for _, head := range report.Heads {
			if head.Session == e.Session {
				ended.Events = head.Sequence
			}
		}
		return audit.SessionEnded, ended, true
	case control.AuditOperationDenied:
		return audit.OperationDenied, operation, true
	case control.AuditOperationDecided:
		// With a review, its outcome is told already.
		if e.Review == "" && e.Outcome != string(v1alpha1.OutcomeApproved) {
			operation.By = "Manager"
			return audit.OperationDenied, operation, true
		}
	case control.AuditOperationHeld:
		// Its review tells.
	}
	return "", nil, false
}
