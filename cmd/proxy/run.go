package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/client"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record/store/legacy/volume"
	"github.com/sallyport/sallyport/proxy/postgres"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
)

const (
	// classifierBytes bounds the memory of recent statements.
	classifierBytes = 8 << 20
	// endTimeout is how long sessions have to be gone once they must end.
	endTimeout = 2 * time.Second
	// lastReport is how long the last report has to reach the manager at shutdown.
	lastReport = 300 * time.Millisecond
)

func run(ctx context.Context, o options, log logr.Logger) error {
	if err := o.check(); err != nil {
		return err
	}
	source, directory, err := o.source(ctx, log)
	if err != nil {
		return err
	}
	recordings, err := volume.Open(directory)
	if err != nil {
		return err
	}
	defer func() { _ = recordings.Close() }()
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	var health net.Listener
	if o.healthListen != "" {
		if health, err = net.Listen("tcp", o.healthListen); err != nil {
			return fmt.Errorf("listen for health probes: %w", err)
		}
		defer func() { _ = health.Close() }()
	}

	status := newStatus(source, listener.Addr())
	task, err := session.NewTask(session.Options{
		Protocol: "postgres", Recordings: recordings, Dial: postgres.Dialer{}.Dial,
		Certificate: source.Certificate, Authenticate: authenticate(source), Hold: holder(source),
		Report: status.sessions, LastContact: source.LastContact, Now: time.Now, Log: log.WithName("session"),
	})
	if err != nil {
		return err
	}
	engine := postgres.New(postgres.Options{
		Judge:          judge.New(classifierBytes),
		AllowPlaintext: o.allowPlaintext, Log: log.WithName("postgres"),
	})
	log.Info("Listening", "address", listener.Addr().String(), "recordings", directory)
	return serve(ctx, o, log, parts{source, task, engine, listener, health, status})
}

// parts are what serve runs.
type parts struct {
	source   control.Source
	task     *session.Task
	engine   session.Engine
	listener net.Listener
	// health may be nil.
	health net.Listener
	status *status
}

// serve runs everything until ctx ends or a part fails. What reports ends last.
func serve(ctx context.Context, o options, log logr.Logger, p parts) error {
	group, ctx := errgroup.WithContext(ctx)
	sourceCtx, stopSource := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSource()

	group.Go(func() error {
		return ignoreEnd(sourceCtx, p.source.Run(sourceCtx, func(state grant.State) {
			p.task.Update(state)
			if state.Phase == grant.Ended {
				// The last heads are reported before the manager hears that we know.
				drain(ctx, p.task, log)
			}
		}))
	})
	group.Go(func() error {
		s := &server.Server{Engine: p.engine, Task: p.task, Log: log.WithName("server")}
		err := s.Serve(ctx, p.listener)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		if closeErr := p.task.Close(closing); closeErr != nil {
			log.Error(closeErr, "Sessions did not end in time")
		}
		time.AfterFunc(lastReport, stopSource)
		return err
	})
	group.Go(func() error {
		p.status.watch(ctx)
		return nil
	})
	group.Go(func() error { return watchProcessors(ctx) })
	if o.grantFile == "" {
		group.Go(func() error {
			server.WatchIsolation(ctx, (&net.Dialer{}).DialContext, o.apiServerAddress, p.status.isolation)
			return nil
		})
	}
	if p.health != nil {
		group.Go(func() error { return server.ServeHealth(ctx, p.health, p.status.ready) })
	}
	return group.Wait()
}

func drain(ctx context.Context, task *session.Task, log logr.Logger) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := task.Drain(ctx); err != nil {
		log.Error(err, "Sessions did not end in time")
	}
}

// ignoreEnd is nil for a source that stopped because it was told to.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// holder is nil for a source that has nobody to ask: a grant file.
func holder(source control.Source) session.Holder {
	if reviewed, ok := source.(*client.Client); ok {
		return reviewed.Hold
	}
	return nil
}

func authenticate(source control.Source) func(context.Context, grant.Secret) (string, error) {
	return func(ctx context.Context, token grant.Secret) (string, error) {
		user, err := source.Authenticate(ctx, token)
		return user.Username, err
	}
}
