package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

type engine func(ctx context.Context, client net.Conn, s *session.Session) error

func (engine) Protocol() string { return "test" }
func (e engine) Serve(ctx context.Context, client net.Conn, s *session.Session) error {
	return e(ctx, client, s)
}

// start serves the engine, and returns its address and what stops it.
func start(t *testing.T, task *sessiontest.Task, e engine) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := (&server.Server{Engine: e, Task: task.Task, Log: logr.Discard()}).Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		served.Wait()
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func begin(ctx context.Context, task *sessiontest.Task, s *session.Session) error {
	return errors.Join(s.AuthenticateKey(ctx, task.Key.Public()), s.Begin(ctx, nil))
}

func TestLIFE1_TheClientIsToldAndThenCutWhenTheTaskEnds(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	address, _ := start(t, task, func(ctx context.Context, client net.Conn, s *session.Session) error {
		if err := begin(ctx, task, s); err != nil {
			return err
		}
		_, err := io.ReadFull(client, make([]byte, 2))
		if cause := context.Cause(ctx); cause != nil {
			_, _ = io.WriteString(client, cause.Error())
		}
		return err
	})
	conn := dial(t, address)
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	awaitSessions(t, task, 1)
	task.Update(sessiontest.Ended(task.Key))
	if told, err := io.ReadAll(conn); err != nil || string(told) != "the task is over: closed by alice" {
		t.Errorf("%q, %v", told, err)
	}
}

func TestLIFE1_AStalledClientIsCutAllTheSame(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	returned := make(chan struct{})
	address, _ := start(t, task, func(ctx context.Context, client net.Conn, s *session.Session) error {
		defer close(returned)
		if err := begin(ctx, task, s); err != nil {
			return err
		}
		for {
			// An engine that does not look whether it may still write.
			if _, err := client.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	})
	dial(t, address)
	awaitSessions(t, task, 1)
	task.Update(sessiontest.Ended(task.Key))
	ended := time.Now()
	<-returned
	if late := time.Since(ended); late > time.Second {
		t.Errorf("%v after the end", late)
	}
}

func TestAShutdownEndsAndJoinsEverySession(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	causes := make(chan error, 3)
	address, stop := start(t, task, func(ctx context.Context, _ net.Conn, s *session.Session) error {
		if err := begin(ctx, task, s); err != nil {
			return err
		}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil
	})
	for range 3 {
		dial(t, address)
	}
	awaitSessions(t, task, 3)
	stop()
	for range 3 {
		if err := <-causes; !errors.Is(err, session.ErrShutdown) {
			t.Error(err)
		}
	}
}

func TestAPanicEndsItsOwnSessionAlone(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	address, _ := start(t, task, func(ctx context.Context, client net.Conn, s *session.Session) error {
		what := make([]byte, 1)
		if _, err := client.Read(what); err != nil {
			return err
		}
		if what[0] == 'p' {
			panic("hostile bytes")
		}
		_, err := client.Write(what)
		return err
	})
	bad, good := dial(t, address), dial(t, address)
	if _, err := bad.Write([]byte("p")); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := good.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if echoed, err := io.ReadAll(good); err != nil || string(echoed) != "x" {
		t.Errorf("%q, %v", echoed, err)
	}
}

func TestConnectionsThatDoNotAuthenticateAreBounded(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, sessiontest.Waiting)
	served := make(chan net.Conn, 100)
	address, _ := start(t, task, func(ctx context.Context, client net.Conn, _ *session.Session) error {
		served <- client
		<-ctx.Done()
		return nil
	})
	for range 64 {
		dial(t, address)
		<-served
	}
	if _, err := dial(t, address).Read(make([]byte, 1)); err == nil {
		t.Error("one too many was served")
	}
	if len(served) != 0 {
		t.Error("the engine saw it")
	}
}

func awaitSessions(t *testing.T, task *sessiontest.Task, n int) {
	t.Helper()
	gomega.NewWithT(t).Eventually(task.Recordings.Sessions, "10s", "1ms").Should(gomega.HaveLen(n))
}

func TestHealthAnswersTheKubeletAndNothingElse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	ready := make(chan bool, 2)
	ready <- false
	ready <- true
	go func() { done <- server.ServeHealth(ctx, listener, func() bool { return <-ready }) }()
	get := func(path string) int {
		answer, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || len(body) > 0 && answer.StatusCode == http.StatusOK {
			t.Errorf("%s: %q, %v", path, body, err)
		}
		return answer.StatusCode
	}
	got := []int{get("/livez"), get("/readyz"), get("/readyz"), get("/"), get("/debug/pprof/"), get("/metrics")}
	if diff := cmp.Diff([]int{200, 503, 200, 404, 404, 404}, got); diff != "" {
		t.Error(diff)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestIsolationIsToldEachTimeThatItChanges(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithCancel(context.Background())
	answers := []error{nil, syscall.ECONNREFUSED}
	var told []bool
	server.WatchIsolation(ctx, func(context.Context, string, string) (net.Conn, error) {
		err := answers[0]
		answers = answers[1:]
		return near, err
	}, "10.96.0.1:443", func(isolated bool, _ string) {
		if told = append(told, isolated); isolated {
			cancel()
		}
	})
	if diff := cmp.Diff([]bool{false, true}, told); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheProbeCannotTellIsNotIsolated(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"": false, "kept-away": true, "broken": false} {
		ctx, cancel := context.WithCancel(context.Background())
		server.WatchIsolation(ctx, func(_ context.Context, _, address string) (net.Conn, error) {
			if address == "broken" {
				return nil, syscall.EMFILE
			}
			return nil, context.DeadlineExceeded
		}, address, func(isolated bool, message string) {
			if isolated != want || message == "" {
				t.Errorf("%q: %v, %s", address, isolated, message)
			}
			cancel()
		})
	}
}
