package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"

	"github.com/sallyport/sallyport/internal/control"
)

// reporter hands a proxy's reports to the Provider at a bounded rate, the newest
// alone, beside the stream: writing a status must not delay a revocation.
type reporter struct {
	provider   Provider
	requestUID string
	timeout    time.Duration
	log        logr.Logger

	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	pending *control.Report
}

func newReporter(provider Provider, requestUID string, timeout time.Duration, log logr.Logger) *reporter {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reporter{
		provider: provider, requestUID: requestUID, timeout: timeout, log: log,
		wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
	return r
}

// finish stops the reporter, and hands over what is pending if flush: the newest heads
// count most when the proxy has just gone.
func (r *reporter) finish(flush bool) {
	r.cancel()
	<-r.done
	if flush {
		r.flush()
	}
}

func (r *reporter) put(report control.Report) {
	r.mu.Lock()
	if r.pending != nil {
		report.Audit = union(r.pending.Audit, report.Audit)
	}
	r.pending = &report
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// maxAudit bounds the events that wait for the Provider.
const maxAudit = 8 * control.MaxAudit

// union is the events of a report that was overtaken before anybody had it, and those of
// the one that overtakes it.
func union(older, newer []control.AuditEvent) []control.AuditEvent {
	if len(newer) == 0 {
		return older
	}
	var all []control.AuditEvent
	for _, event := range older {
		if !slices.ContainsFunc(newer, func(e control.AuditEvent) bool { return e.Session == event.Session && e.Sequence == event.Sequence }) {
			all = append(all, event)
		}
	}
	all = append(all, newer...)
	return all[max(len(all)-maxAudit, 0):]
}

func (r *reporter) run(ctx context.Context) {
	pace := rate.NewLimiter(1, 3)
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		if pace.Wait(ctx) != nil {
			return
		}
		if !r.flush() {
			select {
			case r.wake <- struct{}{}:
			default:
			}
		}
	}
}

// flush hands over what is pending, if anything; a report that could not be handed
// over stays pending, unless there is a newer.
func (r *reporter) flush() bool {
	r.mu.Lock()
	report := r.pending
	r.pending = nil
	r.mu.Unlock()
	if report == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	if err := r.provider.Report(ctx, r.requestUID, *report); err != nil {
		r.log.Error(err, "could not keep a proxy's report")
		r.mu.Lock()
		if r.pending == nil {
			r.pending = report
		}
		r.mu.Unlock()
		return false
	}
	return true
}
