package main

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/proxy/session"
)

// readyEvery is how often status looks whether clients can be served.
const readyEvery = 50 * time.Millisecond

// status joins what the parts of the proxy report into one report.
type status struct {
	source control.Source
	// ready says whether a client could be served.
	ready func() bool

	mu     sync.Mutex
	report control.Report
}

func newStatus(source control.Source, ready func() bool, listening net.Addr) *status {
	s := &status{source: source, ready: ready}
	if tcp, ok := listening.(*net.TCPAddr); ok {
		s.report.Port = int32(tcp.Port)
	}
	return s
}

// hasCertificate says whether a client could be served that speaks TLS.
func hasCertificate(source control.Source) func() bool {
	return func() bool {
		certificate, err := source.Certificate(nil)
		return err == nil && certificate != nil
	}
}

// watch reports once the proxy is ready.
func (s *status) watch(ctx context.Context) {
	again := time.NewTicker(readyEvery)
	defer again.Stop()
	for !s.ready() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
	s.change(func(r *control.Report) { r.Ready = true })
}

func (s *status) isolation(isolated bool, message string) {
	s.change(func(r *control.Report) { r.Isolated, r.Isolation = isolated, message })
}

func (s *status) sessions(now session.Report) {
	s.change(func(r *control.Report) {
		r.Active, r.Total, r.Allowed, r.Refused = now.Active, now.Total, now.Allowed, now.Refused
		r.Heads, r.Sealed = now.Heads, nil
		for _, s := range now.Sealed {
			r.Sealed = append(r.Sealed, control.SealedHead{
				Session: s.Session, Segment: s.Segment, Sequence: s.Last, Hash: s.Hash, Key: s.Key, Signature: s.Signature,
			})
		}
		r.Lost, r.Audit, r.AuditMissed = now.Lost, now.Audit, now.AuditMissed
	})
}

// change sends the report in the order of its changes: Report never blocks.
func (s *status) change(apply func(*control.Report)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	apply(&s.report)
	s.source.Report(s.report)
}
