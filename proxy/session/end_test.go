package session_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// cause waits for the session's end, and says why.
func cause(t *testing.T, s *session.Session) error {
	t.Helper()
	select {
	case <-s.Context().Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the session does not end")
	}
	return context.Cause(s.Context())
}

func TestLIFE1_TheEndOfTheTaskClosesTheWayToTheTarget(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	task := sessiontest.New(t, granted(), func(o *session.Options) {
		o.Dial = func(context.Context, grant.Grant, map[string]string) (net.Conn, error) { return near, nil }
	})
	s := task.Begin(t)
	if _, err := s.Dial(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	task.Update(sessiontest.Ended(task.Key))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := cause(t, s); !errors.Is(err, session.ErrEnded) || err.Error() != "the task is over: closed by alice" {
		t.Error(err)
	}
	if _, err := s.Dial(t.Context(), nil); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
}

func TestAnEndThatComesWhileDiallingClosesWhatIsDialled(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	var task *sessiontest.Task
	task = sessiontest.New(t, granted(), func(o *session.Options) {
		o.Dial = func(ctx context.Context, _ grant.Grant, _ map[string]string) (net.Conn, error) {
			task.Update(sessiontest.Ended(task.Key))
			<-ctx.Done()
			return near, nil
		}
	})
	if _, err := task.Begin(t).Dial(t.Context(), nil); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestLIFE1_TheDeadlineEndsASession(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, func(key sessiontest.Key) grant.State {
		state := granted()(key)
		state.Grant.Deadline = time.Now().Add(200 * time.Millisecond)
		return state
	})
	deadline := task.State().Grant.Deadline
	s := task.Begin(t)
	if err := cause(t, s); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
	if late := time.Since(deadline); late < 0 || late > time.Second {
		t.Errorf("%v after the deadline", late)
	}
	if _, err := s.Admit(t.Context(), read("orders")); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
}

func TestPG12_AnExpiredTaskIsRefusedWithClocksFiveMinutesApart(t *testing.T) {
	t.Parallel()
	skewed := func(skew time.Duration) *sessiontest.Task {
		return sessiontest.New(t, func(key sessiontest.Key) grant.State {
			state := granted()(key)
			state.Grant.Deadline = time.Now().Add(4 * time.Minute)
			return state
		}, func(o *session.Options) {
			o.Now = func() time.Time { return time.Now().Add(skew) }
		})
	}
	ahead := skewed(5 * time.Minute)
	s := client(t, ahead)
	if err := s.AuthenticateKey(t.Context(), ahead.Key.Public()); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(t.Context(), nil); !errors.Is(err, session.ErrEnded) {
		t.Error("the proxy's own clock is past the deadline:", err)
	}
	// A proxy whose clock is behind ends by the manager's word, which needs no clock.
	behind := skewed(-5 * time.Minute)
	s = behind.Begin(t)
	if _, err := s.Admit(t.Context(), read("orders")); err != nil {
		t.Fatal(err)
	}
	behind.Update(sessiontest.Ended(behind.Key))
	if _, err := s.Admit(t.Context(), read("orders")); !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
}

func TestAnExtensionMovesTheDeadline(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, func(key sessiontest.Key) grant.State {
		state := granted()(key)
		state.Grant.Deadline = time.Now().Add(time.Minute)
		return state
	})
	s := task.Begin(t)
	for _, step := range []struct {
		deadline time.Duration
		ended    bool
	}{{time.Hour, false}, {-time.Second, true}} {
		state := granted()(task.Key)
		state.Grant.Deadline = time.Now().Add(step.deadline)
		task.Update(state)
		if _, err := s.Admit(t.Context(), read("orders")); errors.Is(err, session.ErrEnded) != step.ended {
			t.Error(step.deadline, err)
		}
	}
}

func TestAnIdleSessionEndsAndABusyOneDoesNot(t *testing.T) {
	t.Parallel()
	policy := sessiontest.ReadOrders()
	policy.Session.IdleSeconds = 1
	task := sessiontest.New(t, sessiontest.Granted(policy, nil))
	idle, busy := task.Begin(t), task.Begin(t)
	for idle.Context().Err() == nil {
		busy.Touch()
		select {
		case <-idle.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := cause(t, idle); !errors.Is(err, session.ErrIdle) {
		t.Error(err)
	}
	if err := busy.Context().Err(); err != nil {
		t.Error(err)
	}
}

func TestASilentManagerEndsSessionsUntilItIsBack(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	contact := time.Now()
	task := sessiontest.New(t, granted(), func(o *session.Options) {
		o.LastContact = func() time.Time { mu.Lock(); defer mu.Unlock(); return contact }
	})
	s := task.Begin(t)
	if _, err := s.Admit(t.Context(), read("orders")); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	contact = time.Now().Add(-61 * time.Second)
	mu.Unlock()
	if err := cause(t, s); !errors.Is(err, session.ErrControlLost) {
		t.Error(err)
	}
	mu.Lock()
	contact = time.Now()
	mu.Unlock()
	if _, err := task.Begin(t).Admit(t.Context(), read("orders")); err != nil {
		t.Error(err)
	}
}

func TestAClientThatDoesNotAuthenticateIsEnded(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted(), func(o *session.Options) { o.HandshakeSeconds = 1 })
	s := task.NewSession(&net.TCPAddr{})
	defer s.Close(nil)
	if err := cause(t, s); !errors.Is(err, session.ErrHandshake) {
		t.Error(err)
	}
}

func TestAStateNeverGoesBackAndNeverChangesItsTask(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, granted())
	task.Update(sessiontest.Waiting(task.Key))
	if task.State().Phase != grant.Granted {
		t.Error("a grant was taken back by Waiting")
	}
	other := granted()(task.Key)
	other.Task.RequestUID = "another"
	task.Update(other)
	if state := task.State(); state.Phase != grant.Ended || state.Task.RequestUID != sessiontest.RequestUID {
		t.Errorf("%+v", state)
	}
	task.Update(granted()(task.Key))
	if task.State().Phase != grant.Ended {
		t.Error("an ended task was revived")
	}
}

func TestAPolicyThatCannotBeEnforcedEndsTheTask(t *testing.T) {
	t.Parallel()
	broken := sessiontest.ReadOrders()
	broken.Rules = []v1alpha1.Rule{{Name: "broken", When: "action.nonsense", Effect: v1alpha1.EffectDeny}}
	durable := sessiontest.ReadOrders()
	durable.Recording.Durability = v1alpha1.DurabilityRemote
	for _, policy := range []v1alpha1.AccessPolicySpec{broken, durable} {
		task := sessiontest.New(t, sessiontest.Granted(policy, nil))
		if state := task.State(); state.Phase != grant.Ended || state.Grant != nil || state.Reason == "" {
			t.Errorf("%+v", state)
		}
	}
}

func TestReportsAreCoalescedAndTheLastIsTrue(t *testing.T) {
	t.Parallel()
	reports := make(chan session.Report, 1000)
	task := sessiontest.New(t, granted(), func(o *session.Options) {
		o.Report = func(r session.Report) { reports <- r }
	})
	s := task.Begin(t)
	for range 200 {
		if _, err := s.Admit(t.Context(), read("orders")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Close(nil), task.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	close(reports)
	var last session.Report
	count := 0
	for last = range reports {
		count++
	}
	if count > 20 {
		t.Errorf("%d reports of 200 operations", count)
	}
	if last.Active != 0 || last.Total != 1 || last.Allowed != 200 || len(last.Heads) != 1 || !last.Heads[0].Complete {
		t.Errorf("%+v", last)
	}
}

func TestHeadsAreBoundedAndCountsAreNot(t *testing.T) {
	t.Parallel()
	var last session.Report
	task := sessiontest.New(t, granted(), func(o *session.Options) {
		o.Report = func(r session.Report) { last = r }
	})
	staying := task.Begin(t)
	for range 70 {
		s := task.Begin(t)
		if _, err := s.Admit(t.Context(), read("orders")); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := staying.Admit(t.Context(), read("customers")); err == nil {
		t.Fatal("not refused")
	}
	if err := errors.Join(staying.Close(nil), task.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if len(last.Heads) != 64 || last.Heads[0].Session != staying.ID() || last.Total != 71 || last.Allowed != 70 || last.Refused != 1 {
		t.Errorf("%d heads, %+v", len(last.Heads), last)
	}
}

func TestLIFE1_AnEndThatRacesWithADialIsAnErrorAndNothingWorse(t *testing.T) {
	t.Parallel()
	for range 300 {
		near, far := net.Pipe()
		task := sessiontest.New(t, granted(), func(o *session.Options) {
			o.Dial = func(context.Context, grant.Grant, map[string]string) (net.Conn, error) { return near, nil }
		})
		s := task.Begin(t)
		var racing sync.WaitGroup
		racing.Go(func() { task.Update(sessiontest.Ended(task.Key)) })
		if _, err := s.Dial(t.Context(), nil); err != nil && !errors.Is(err, session.ErrEnded) {
			t.Fatal(err)
		}
		racing.Wait()
		_, _ = near.Close(), far.Close()
	}
}
