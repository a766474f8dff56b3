package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/keeper"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// manager is a control.Source that tells what the test sends.
type manager struct {
	states chan grant.State
	// ended is the newest report at the moment when update(Ended) had returned.
	ended chan control.Report

	mu     sync.Mutex
	report control.Report
	server *tls.Certificate
}

func (m *manager) Run(ctx context.Context, update func(grant.State)) error {
	for {
		select {
		case state := <-m.states:
			update(state)
			if state.Phase == grant.Ended {
				m.ended <- m.newest()
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *manager) newest() control.Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.report
}

func (m *manager) Report(r control.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.report = r
}

func (m *manager) Authenticate(context.Context, grant.Secret) (control.User, error) {
	return control.User{}, errors.New("no tokens here")
}

func (m *manager) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return nil, control.ErrNoCertificate
	}
	return m.server, nil
}

func (m *manager) LastContact() time.Time { return time.Now() }

// idler is an engine whose sessions begin, and then wait for their end.
type idler struct{ key sessiontest.Key }

func (idler) Protocol() string { return "postgres" }

func (i idler) Serve(ctx context.Context, _ net.Conn, s *session.Session) error {
	if err := errors.Join(s.AuthenticateKey(ctx, i.key.Public()), s.Begin(ctx, nil)); err != nil {
		return err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestTheManagerHearsTheLastHeadsBeforeItHearsThatTheProxyKnowsOfTheEnd(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{states: make(chan grant.State), ended: make(chan control.Report, 1)}
	status := newStatus(m, hasCertificate(m), listener.Addr())
	task := sessiontest.New(t, nil, func(o *session.Options) { o.Report = status.sessions })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, options{grantFile: "none"}, logr.Discard(), parts{m, task.Task, keeper.New(keeper.Options{Now: time.Now, Log: logr.Discard()}), idler{task.Key}, listener, nil, status})
	}()

	if status.ready() {
		t.Error("ready without a certificate")
	}
	m.mu.Lock()
	m.server = &task.Server
	m.mu.Unlock()
	await(t, func() bool { return m.newest().Ready })

	m.states <- sessiontest.Granted(sessiontest.ReadOrders(), nil)(task.Key)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	await(t, func() bool { return m.newest().Active == 1 })

	m.states <- sessiontest.Ended(task.Key)
	last := <-m.ended
	if len(last.Heads) != 1 || !last.Heads[0].Complete || last.Active != 0 || last.Total != 1 {
		t.Errorf("%+v", last)
	}
	events, err := task.Recordings.Events(last.Heads[0].Session)
	if err != nil || events[len(events)-1].End.Reason != "the task is over: closed by alice" {
		t.Errorf("%+v, %v", events, err)
	}
	if diff := cmp.Diff(int32(listener.Addr().(*net.TCPAddr).Port), last.Port); diff != "" {
		t.Error(diff)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFlagsThatContradictEachOtherAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]options{
		"neither":                 {},
		"both":                    {grantFile: "f", controlAddress: "a"},
		"plaintext in a cluster":  {controlAddress: "a", tokenFile: "t", recordingDir: "r", allowPlaintext: true},
		"a certificate alone":     {grantFile: "f", tlsCert: "c"},
		"a manager without token": {controlAddress: "a", recordingDir: "r"},
	} {
		if o.check() == nil {
			t.Error(name, "was taken")
		}
	}
}

func await(t *testing.T, held func() bool) {
	t.Helper()
	gomega.NewWithT(t).Eventually(held, "10s", "1ms").Should(gomega.BeTrue())
}
