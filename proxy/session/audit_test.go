package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// reporting is a task whose newest report last returns.
func reporting(t *testing.T, change ...func(*session.Options)) (task *sessiontest.Task, last func() session.Report) {
	t.Helper()
	reports := make(chan session.Report, 1000)
	task = sessiontest.New(t, granted(), append(change, func(o *session.Options) {
		o.Report = func(r session.Report) { reports <- r }
	})...)
	var newest session.Report
	return task, func() session.Report {
		task.Report()
		for {
			select {
			case newest = <-reports:
			default:
				return newest
			}
		}
	}
}

func TestSessionsAndDeniedOperationsAreToldInOrderAndWithoutTheirText(t *testing.T) {
	t.Parallel()
	task, last := reporting(t)
	s := task.Begin(t)
	secret := read("customers")
	secret.Text = "SELECT 'a secret' FROM customers"
	if _, err := s.Admit(t.Context(), read("orders")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Admit(t.Context(), secret); err == nil {
		t.Fatal("not refused")
	}
	if err := s.Close(errors.New("closed by alice")); err != nil {
		t.Fatal(err)
	}
	var story []string
	for i, event := range last().Audit {
		if event.Session != s.ID() || event.Sequence != int64(i+1) || event.Time.IsZero() || strings.Contains(event.Message, "secret") {
			t.Errorf("%+v", event)
		}
		story = append(story, string(event.Type)+" "+event.Kind+" "+event.Rule)
	}
	if diff := cmp.Diff([]string{"session.began  ", "operation.denied select grant", "session.ended  "}, story); diff != "" {
		t.Error(diff)
	}
}

func TestAFloodOfDenialsIsCountedNotKept(t *testing.T) {
	t.Parallel()
	task, last := reporting(t)
	s := task.Begin(t)
	last()
	for range 3 * control.MaxAudit {
		if _, err := s.Admit(t.Context(), read("customers")); err == nil {
			t.Fatal("not refused")
		}
	}
	report := last()
	if len(report.Audit) != control.MaxAudit || report.AuditMissed == 0 || report.AuditMissed > 2*control.MaxAudit {
		t.Errorf("%d events, %d missed", len(report.Audit), report.AuditMissed)
	}
	if newest := report.Audit[control.MaxAudit-1]; newest.Sequence != 3*control.MaxAudit+1 {
		t.Errorf("%+v", newest)
	}
}

func TestUnderBestEffortASessionGoesOnAndWhatIsLostIsTold(t *testing.T) {
	t.Parallel()
	task, last := reporting(t)
	state := granted()(task.Key)
	state.Recording.BestEffort = true
	task.Update(state)
	s := task.Begin(t)
	task.Recordings.Fail()
	for range 5 {
		if _, err := s.Admit(t.Context(), read("orders")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Admit(t.Context(), read("customers")); err == nil {
		t.Error("what cannot be recorded is not refused")
	}
	// One that cannot even begin a recording is judged all the same.
	unrecorded := task.Begin(t)
	if _, err := unrecorded.Admit(t.Context(), read("orders")); err != nil {
		t.Error(err)
	}
	report := last()
	if !strings.Contains(report.Lost, "at least 8 events") || !strings.Contains(report.Lost, sessiontest.ErrFull.Error()) {
		t.Errorf("%q", report.Lost)
	}
	if report.Allowed != 6 || report.Refused != 1 {
		t.Errorf("%+v", report)
	}
}
