package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/keeper"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// returning is a manager that is lost while the task ends, and tells it again when it is back.
type returning struct {
	*manager
	bid chan struct{}
}

func (r returning) Run(ctx context.Context, update func(grant.State)) error {
	for {
		select {
		case state := <-r.states:
			update(state)
		case <-r.bid:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestLIFE4_AProxyThatStopsWaitsForAManagerThatComesBackAndSigns(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	var signed atomic.Int64
	recordings := keeper.New(keeper.Options{
		Directory: t.TempDir(), Now: time.Now, Log: logr.Discard(),
		Seal: func(_ context.Context, statements []record.Statement) ([]record.Signature, error) {
			if away.Load() {
				return nil, errors.New("the manager cannot be reached")
			}
			var signatures []record.Signature
			for _, statement := range statements {
				signatures = append(signatures, record.Sign(key, statement, time.Now()))
				signed.Add(1)
			}
			return signatures, nil
		},
	})
	m := returning{&manager{states: make(chan grant.State)}, make(chan struct{})}
	status := newStatus(m, hasCertificate(m), listener.Addr())
	task := sessiontest.New(t, nil, func(o *session.Options) { o.Report, o.Recorder = status.sessions, recordings })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, options{grantFile: "none"}, logr.Discard(), parts{m, task.Task, recordings, idler{task.Key}, listener, nil, status})
	}()
	m.states <- sessiontest.Granted(sessiontest.ReadOrders(), nil)(task.Key)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	await(t, func() bool { return m.newest().Active == 1 })

	away.Store(true)
	m.states <- sessiontest.Ended(task.Key)
	stop()
	await(t, func() bool { last := m.newest(); return len(last.Heads) == 1 && last.Heads[0].Complete })
	select {
	case err := <-done:
		t.Fatal("it did not wait for its manager:", err)
	default:
	}
	away.Store(false)
	m.states <- sessiontest.Ended(task.Key)
	m.bid <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if signed.Load() != 1 {
		t.Errorf("%d segments are signed", signed.Load())
	}
}
