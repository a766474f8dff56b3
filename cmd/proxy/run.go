package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/client"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/keeper"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/standalone"
)

const (
	// endTimeout is how long sessions have to be gone once they must end.
	endTimeout = 2 * time.Second
	// storeTimeout is how long their recordings then have to be stored, and signTimeout
	// to be signed, less than a manager waits for the last report. A proxy that stops waits
	// as long as its pod may for a manager that is away, lastSignTimeout.
	storeTimeout    = 5 * time.Second
	signTimeout     = 7 * time.Second
	lastSignTimeout = 35 * time.Second
	// closeTimeout is how long what cannot be stored or signed has to be put away.
	closeTimeout = 2 * time.Second
	// lastWord is how long a proxy that is told to stop waits to hear why.
	lastWord = 250 * time.Millisecond
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
	recordings := keeper.New(recorders(source, keeper.Options{
		Directory: directory, Quota: o.recordingQuota, Spool: o.spoolDir, Log: log.WithName("recording"), Now: time.Now,
	}))
	if s, ok := source.(*standalone.Source); ok {
		// Nobody waits for a manager that might say more.
		if err := recordings.Start(s.Recording()); err != nil {
			return err
		}
	}
	spoken, err := o.engine(source, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(o.listen, spoken.listen))
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

	var task *session.Task
	ready := hasCertificate(source)
	if spoken.engine.Protocol() == standalone.SSH {
		defer runtime.KeepAlive(make([]byte, ballastBytes))
		ready = func() bool { return task.State().HostKey != "" }
	}
	status := newStatus(source, ready, listener.Addr())
	task, err = session.NewTask(session.Options{
		Protocol: spoken.engine.Protocol(), Recorder: recordings, Dial: spoken.dial,
		Certificate: source.Certificate, Authenticate: authenticate(source), Hold: holder(source),
		Report: status.sessions, LastContact: source.LastContact, Now: time.Now, Log: log.WithName("session"),
	})
	if err != nil {
		return err
	}
	log.Info("Listening", "address", listener.Addr().String(), "recordings", directory)
	return serve(ctx, o, log, parts{source, task, recordings, spoken.engine, listener, health, status})
}

// parts are what serve runs.
type parts struct {
	source     control.Source
	task       *session.Task
	recordings *keeper.Keeper
	engine     session.Engine
	listener   net.Listener
	// health may be nil.
	health net.Listener
	status *status
}

// serve runs everything until ctx ends or a part fails. What reports ends last.
func serve(ctx context.Context, o options, log logr.Logger, p parts) error {
	group, ctx := errgroup.WithContext(ctx)
	sourceCtx, stopSource := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSource()
	ended, drained := make(chan struct{}), make(chan struct{})
	var end, keep sync.Once
	// silent ends when there is no manager to come back.
	silent, silence := context.WithCancel(context.WithoutCancel(ctx))

	group.Go(func() error {
		defer silence()
		return ignoreEnd(sourceCtx, p.source.Run(sourceCtx, func(state grant.State) {
			if err := p.recordings.Start(state.Recording); err != nil && state.Phase != grant.Ended {
				// Sessions do not begin then, or say what is lost.
				log.Error(err, "Recordings cannot be kept")
			}
			p.task.Update(state)
			if state.Phase == grant.Ended {
				end.Do(func() { close(ended) })
				// The last heads are reported before the manager hears that we know. One that
				// was away is told the same again when it is back, and signs what it could not.
				p.drain(ctx, log)
				keep.Do(func() { close(drained) })
			}
		}))
	})
	s := &server.Server{Engine: p.engine, Task: p.task, Log: log.WithName("server")}
	group.Go(func() error {
		serving, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		defer context.AfterFunc(ctx, func() { awaitReason(ended, drained, stop) })()
		err := s.Serve(serving, p.listener)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		if closeErr := p.task.Close(closing); closeErr != nil {
			log.Error(closeErr, "Sessions did not end in time")
		}
		p.flush(silent, lastSignTimeout, log)
		p.closeRecordings(ctx, log)
		time.AfterFunc(lastReport, stopSource)
		return err
	})
	group.Go(func() error {
		p.status.watch(ctx)
		return nil
	})
	group.Go(func() error { return watchProcessors(ctx, s, p.task) })
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

// awaitReason stops once it is known why the task has ended, or nobody says so: whoever
// stops this process has most often ended its task, and clients are to hear why. What
// has ended is then kept and signed in peace.
func awaitReason(ended, drained <-chan struct{}, stop func()) {
	defer stop()
	timer := time.NewTimer(lastWord)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		return
	}
	timer.Reset(endTimeout + signTimeout)
	select {
	case <-drained:
	case <-timer.C:
	}
}

// drain waits until all sessions have ended, and their recordings are kept.
func (p parts) drain(ctx context.Context, log logr.Logger) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := p.task.Drain(ending); err != nil {
		log.Error(err, "Sessions did not end in time")
	}
	p.flush(context.WithoutCancel(ctx), signTimeout, log)
}

// flush waits until the recordings of what has ended are kept, and reports that.
func (p parts) flush(signable context.Context, signing time.Duration, log logr.Logger) {
	if err := p.recordings.Flush(signable, storeTimeout, signing); err != nil {
		log.Error(err, "What is missing stays in the spool")
	}
	p.task.Report()
}

func (p parts) closeRecordings(ctx context.Context, log logr.Logger) {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := p.recordings.Close(closing); err != nil {
		log.Error(err, "Recordings could not be closed")
	}
}

// recorders are who signs recordings and says where they go, by the source: a manager,
// or a key that a grant file names, or nobody.
func recorders(source control.Source, options keeper.Options) keeper.Options {
	switch s := source.(type) {
	case *client.Client:
		options.Seal, options.Places = s.Seal, s.Places
	case *standalone.Source:
		options.Seal = s.Seal()
	}
	return options
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
