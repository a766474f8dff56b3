package server

import (
	"context"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/control"
)

// taker is a Provider that takes reports, and nothing else.
type taker struct {
	Provider
	taken []control.Report
}

func (p *taker) Report(_ context.Context, _ string, report control.Report) error {
	p.taken = append(p.taken, report)
	return nil
}

func TestAReportThatIsOvertakenLeavesItsEvents(t *testing.T) {
	t.Parallel()
	provider := &taker{}
	r := &reporter{provider: provider, wake: make(chan struct{}, 1), log: logr.Discard(), timeout: 1 << 30}
	event := func(session string, sequence int64) control.AuditEvent {
		return control.AuditEvent{Session: session, Sequence: sequence, Type: control.AuditOperationDenied}
	}
	r.put(control.Report{Active: 1, Audit: []control.AuditEvent{event("s-1", 1), event("s-2", 1), event("s-1", 2)}})
	r.put(control.Report{Active: 2, Audit: []control.AuditEvent{event("s-1", 2), event("s-1", 3)}})
	r.put(control.Report{Active: 3})
	if !r.flush() {
		t.Fatal("not handed over")
	}
	want := []control.Report{{Active: 3, Audit: []control.AuditEvent{event("s-1", 1), event("s-2", 1), event("s-1", 2), event("s-1", 3)}}}
	if diff := cmp.Diff(want, provider.taken); diff != "" {
		t.Error(diff)
	}
	for sequence := range int64(3 * maxAudit) {
		r.put(control.Report{Audit: []control.AuditEvent{event("s-3", sequence+1)}})
	}
	r.flush()
	if got := provider.taken[1].Audit; len(got) != maxAudit || got[maxAudit-1].Sequence != 3*maxAudit {
		t.Errorf("%d events wait", len(got))
	}
}
