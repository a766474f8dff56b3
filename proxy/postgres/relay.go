package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// drainTimeout bounds what the target may still answer when the client has left:
// it runs what was sent before, and that is recorded.
const drainTimeout = 2 * time.Second

// abandonTimeout bounds asking the target to stop.
const abandonTimeout = time.Second

// relay is the life of a session between start-up and end: one goroutine per
// direction.
type relay struct {
	client   *client
	up       *Upstream
	session  door
	pipeline *pipeline
	// utf8 says that client and target exchange UTF8.
	utf8 atomic.Bool

	// masks of the values that come out; nil where none are masked.
	masks *mask.Set
	// shaped says that a portal's columns must be known before it runs.
	shaped bool
	// waiting for reviewers.
	waiting waiting

	once sync.Once
	err  error
	// stop ends what the frontend waits for.
	stop context.CancelCauseFunc
	// over is closed when err is set.
	over chan struct{}
}

// relay tells the client that it may go on, and relays until either side ends.
func (e *Engine) relay(ctx context.Context, c *client, up *Upstream, s door, place *place, seen view) error {
	r := &relay{client: c, up: up, session: s, pipeline: newPipeline(up.Status), over: make(chan struct{})}
	r.masks = s.Masks()
	// What is recorded of the end must not fail because it is the end.
	results := context.WithoutCancel(ctx)
	b := &backend{relay: r, ctx: results, masked: newMasked(r, e.options.MaxMessage), output: newOutput(results, r)}
	r.shaped = b.masked != nil || b.output != nil
	f := e.frontend(r, seen)
	f.ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	var ready []byte
	for _, p := range up.Parameters {
		ready = wire.AppendParameterStatus(ready, p)
		r.noteEncoding(p)
	}
	if err := c.send(wire.AppendReadyForQuery(ready, up.Status)); err != nil {
		return err
	}
	up.reader.SetLimits(e.fromTarget)

	place.cancels(r.cancel)
	stop := context.AfterFunc(ctx, func() { r.end(context.Cause(ctx)) })
	defer stop()
	var answers sync.WaitGroup
	answers.Go(func() { r.end(b.run()) })
	err := f.run()
	f.observer.close()
	left := errors.Is(err, errLeft)
	if left {
		r.goodbye(&answers)
	}
	r.end(err)
	answers.Wait()
	if r.pipeline.busy() {
		c.abandon = func() { stopRunning(results, up) }
	}
	if up.reader.Streaming() {
		c.torn.Store(true)
	}
	if left {
		return err
	}
	return r.err
}

// goodbye ends the target's session as a client does, and waits for its end.
func (r *relay) goodbye(answers *sync.WaitGroup) {
	_ = r.up.SetWriteDeadline(within(farewellTimeout))
	if _, err := r.up.Write(wire.AppendTerminate(nil)); err != nil {
		return
	}
	_ = r.up.SetReadDeadline(within(drainTimeout))
	answers.Wait()
}

// stopRunning cancels what the target is still doing for a session that has ended: its
// result would be recorded nowhere.
func stopRunning(ctx context.Context, up *Upstream) {
	ctx, cancel := context.WithTimeout(ctx, abandonTimeout)
	defer cancel()
	// If it fails, the end of the credential ends it.
	_ = up.Cancel(ctx)
}

// end takes the first reason to end, and interrupts both directions.
func (r *relay) end(err error) {
	r.once.Do(func() {
		r.err = err
		close(r.over)
		r.stop(err)
		r.pipeline.fail(err)
		r.client.interrupt()
		_ = r.up.SetDeadline(past)
	})
}

// noteEncoding follows the session's encoding.
func (r *relay) noteEncoding(p wire.ParameterStatus) {
	if p.Name == parameterEncoding {
		r.utf8.Store(p.Value == "UTF8")
	}
}
