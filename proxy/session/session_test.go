package session_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func read(relation string) session.Operation {
	return session.Operation{
		Text: "SELECT * FROM " + relation,
		Action: policy.Action{
			Protocol: "postgres", Kind: "select", Statements: 1,
			Access: []policy.Access{{Schema: "public", Name: relation, Privilege: v1alpha1.PrivilegeSelect}},
		},
	}
}

func granted() func(sessiontest.Key) grant.State {
	return sessiontest.Granted(sessiontest.ReadOrders(), nil)
}

func TestAnOperationIsRecordedThenDecidedThenAdmitted(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted())
	s := task.Begin(t)
	admission, err := s.Admit(t.Context(), read("orders"))
	if err != nil || admission.Operation != 1 || admission.Effect != v1alpha1.EffectAllow {
		t.Fatalf("%+v, %v", admission, err)
	}
	var refusal *session.Refusal
	if _, err := s.Admit(t.Context(), read("customers")); !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	if refusal.Decision.Policy != "orders-read" || refusal.Decision.Rule != "grant" || refusal.Request != "pay-1423" {
		t.Errorf("%+v", refusal)
	}
	if err := errors.Join(
		s.Stream(t.Context(), 1, []byte("abc")),
		s.Result(t.Context(), record.Result{Operation: 1, Tag: "SELECT 1"}),
		s.Close(nil),
	); err != nil {
		t.Fatal(err)
	}
	events, err := task.Recordings.Events(s.ID())
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	for _, event := range events {
		line := string(event.Type)
		if event.Verdict != nil {
			line += " " + event.Verdict.Effect
		}
		if event.Operation != nil {
			line += " reads " + strings.Join(event.Operation.Reads, ",")
		}
		story = append(story, line)
	}
	if diff := cmp.Diff([]string{
		"session.start", "grant", "operation Allow reads public.orders", "operation Deny reads public.customers", "stream", "result", "session.end",
	}, story); diff != "" {
		t.Error(diff)
	}
	if end := events[len(events)-1].End; end.Allowed != 1 || end.Refused != 1 {
		t.Errorf("%+v", end)
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	s := sessiontest.New(t, granted()).Begin(t)
	operation := read("orders")
	operation.Action.Unknown = "a statement of the future"
	var refusal *session.Refusal
	if _, err := s.Admit(t.Context(), operation); !errors.As(err, &refusal) || refusal.Decision.Rule != policy.RuleUnderstood {
		t.Error(err)
	}
}

func TestAFailureToRecordEndsEverySessionOfTheTask(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted())
	one, two := task.Begin(t), task.Begin(t)
	task.Recordings.Fail()
	if _, err := one.Admit(t.Context(), read("orders")); !errors.Is(err, session.ErrRecording) || !errors.Is(err, sessiontest.ErrFull) {
		t.Error(err)
	}
	for _, s := range []*session.Session{one, two} {
		<-s.Context().Done()
		cause := context.Cause(s.Context())
		if !errors.Is(cause, session.ErrRecording) {
			t.Error(cause)
		}
		// Clients hear of it in these words.
		if strings.Contains(cause.Error(), sessiontest.ErrFull.Error()) {
			t.Errorf("the client is told where recordings are kept: %v", cause)
		}
		if _, err := s.Admit(t.Context(), read("orders")); !errors.Is(err, session.ErrRecording) {
			t.Error(err)
		}
	}
	three := task.NewSession(&net.TCPAddr{})
	defer three.Close(nil)
	if err := three.AuthenticateKey(t.Context(), task.Key.Public()); err != nil {
		t.Fatal(err)
	}
	if err := three.Begin(t.Context(), nil); !errors.Is(err, session.ErrRecording) {
		t.Error(err)
	}
}

func TestAnEndThatComesWhileTheVerdictIsRecordedStillEnds(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted())
	s := task.Begin(t)
	task.Recordings.OnWrite(func(data []byte) {
		if bytes.Contains(data, []byte(`"verdict":`)) {
			task.Update(sessiontest.Ended(task.Key))
		}
	})
	if _, err := s.Admit(t.Context(), read("orders")); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
}

func TestNothingIsAdmittedBeforeTheGrantOrWithoutARecording(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	if _, err := task.Begin(t).Admit(t.Context(), read("orders")); !errors.Is(err, session.ErrNotGranted) {
		t.Error(err)
	}
	task.Update(granted()(task.Key))
	s := task.NewSession(&net.TCPAddr{})
	defer s.Close(nil)
	if err := s.Begin(t.Context(), nil); !errors.Is(err, session.ErrNotAuthenticated) {
		t.Error(err)
	}
	if _, err := s.Admit(t.Context(), read("orders")); err == nil {
		t.Error("admitted without a recording")
	}
	if list := task.Recordings.Sessions(); len(list) != 1 {
		t.Error(list)
	}
}

func TestATaskHasNoMoreSessionsThanItsPolicyAllows(t *testing.T) {
	t.Parallel()
	one := sessiontest.ReadOrders()
	one.Session.MaxConcurrent = 1
	task := sessiontest.New(t, sessiontest.Granted(one, nil))
	first := task.Begin(t)
	second := task.NewSession(&net.TCPAddr{})
	defer second.Close(nil)
	if err := second.AuthenticateKey(t.Context(), task.Key.Public()); err != nil {
		t.Fatal(err)
	}
	if err := second.Begin(t.Context(), nil); !errors.Is(err, session.ErrTooManySessions) {
		t.Error(err)
	}
	if err := first.Close(nil); err != nil {
		t.Fatal(err)
	}
	if err := second.Begin(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestAWaitingClientIsToldAndGoesOnByItself(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	s := task.Begin(t)
	told := []string{}
	err := s.AwaitGrant(t.Context(), func(message string) error {
		told = append(told, message)
		state := sessiontest.Waiting(task.Key)
		if state.Wait = "one of two approvals"; len(told) == 2 {
			state = granted()(task.Key)
		}
		go task.Update(state)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"waiting for approval: kubectl approve pay-1423", "one of two approvals"}, told); diff != "" {
		t.Error(diff)
	}
}

func TestAWaitEndsWithTheTaskOrTheClient(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	gone := errors.New("broken pipe")
	if err := task.Begin(t).AwaitGrant(t.Context(), func(string) error { return gone }); !errors.Is(err, gone) {
		t.Error(err)
	}
	var ended *session.EndedError
	err := task.Begin(t).AwaitGrant(t.Context(), func(string) error {
		go task.Update(sessiontest.Ended(task.Key))
		return nil
	})
	if !errors.As(err, &ended) || ended.Reason != "closed by alice" {
		t.Error(err)
	}
}
