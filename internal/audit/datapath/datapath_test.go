package datapath

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
)

type kept struct{ events []audit.Event }

func (k *kept) Emit(events ...audit.Event) { k.events = append(k.events, events...) }

func (k *kept) take() map[audit.Type]any {
	out := map[audit.Type]any{}
	for _, e := range k.events {
		out[e.Type] = e.Data
	}
	k.events = nil
	return out
}

var (
	at      = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	request = &v1alpha1.TaskAccessRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "pay-1423", UID: "0e5f"}}
)

func newTeller(t *testing.T) (*Teller, *kept) {
	t.Helper()
	sink := &kept{}
	teller, err := New(sink, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	return teller, sink
}

func TestWhatAReportRepeatsIsToldOnce(t *testing.T) {
	t.Parallel()
	teller, sink := newTeller(t)
	report := control.Report{Audit: []control.AuditEvent{{Sequence: 1, Time: at, Type: control.AuditSessionBegan, Session: "s-1", Message: "with a key"}}}
	teller.Tell(request, report)
	if diff := cmp.Diff(map[audit.Type]any{audit.SessionBegun: audit.Session{Session: "s-1", Message: "with a key"}}, sink.take()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	report.Heads = []record.Head{{Session: "s-1", Sequence: 19}}
	report.Audit = append(report.Audit,
		control.AuditEvent{Sequence: 2, Time: at, Type: control.AuditOperationDenied, Session: "s-1", Operation: 4, Kind: "drop", Rule: "no-ddl", Message: "no"},
		control.AuditEvent{Sequence: 3, Time: at, Type: control.AuditSessionEnded, Session: "s-1", Message: "the client left", Allowed: 7, Refused: 1})
	teller.Tell(request, report)
	teller.Tell(request, report)
	want := map[audit.Type]any{
		audit.OperationDenied: audit.Operation{Operation: "s-1/4", Kind: "drop", Rule: "no-ddl", Message: "no", By: "Policy"},
		audit.SessionEnded:    audit.Session{Session: "s-1", Message: "the client left", Events: 19, Allowed: 7, Denied: 1},
	}
	if len(sink.events) != 2 {
		t.Errorf("%d events, want 2", len(sink.events))
	}
	if diff := cmp.Diff(want, sink.take()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnotherReplicaTellsTheSameIdentities(t *testing.T) {
	t.Parallel()
	one, first := newTeller(t)
	two, second := newTeller(t)
	report := control.Report{AuditMissed: 3, Audit: []control.AuditEvent{{Sequence: 1, Time: at, Type: control.AuditSessionBegan, Session: "s-1"}}}
	one.Tell(request, report)
	two.Tell(request, report)
	if diff := cmp.Diff(first.events, second.events); diff != "" || len(first.events) != 2 {
		t.Errorf("%d events (-one +two):\n%s", len(first.events), diff)
	}
}

func TestOnlyWhatNoReviewTellsOfAHeldOperationIsTold(t *testing.T) {
	t.Parallel()
	event := func(kind control.AuditType, review, outcome string) control.AuditEvent {
		return control.AuditEvent{Sequence: 1, Time: at, Type: kind, Session: "s-1", Operation: 4, Review: review, Outcome: outcome}
	}
	for name, c := range map[string]struct {
		event control.AuditEvent
		told  bool
	}{
		"held":                     {event(control.AuditOperationHeld, "", ""), false},
		"decided by reviewers":     {event(control.AuditOperationDecided, "pay-1423-ab", "Denied"), false},
		"not taken by the manager": {event(control.AuditOperationDecided, "", "Denied"), true},
		"of a newer proxy":         {event("operation.considered", "", ""), false},
	} {
		teller, sink := newTeller(t)
		teller.Tell(request, control.Report{Audit: []control.AuditEvent{c.event}})
		if told := len(sink.events) == 1; told != c.told {
			t.Errorf("%s: told %v", name, told)
		}
	}
}
