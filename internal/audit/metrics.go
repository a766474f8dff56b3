package audit

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// counters are one sink's: what became of events, and how many wait.
type counters struct {
	delivered, failed, dropped, dead prometheus.Counter
	spooled                          prometheus.Gauge
}

type metrics struct {
	events  *prometheus.CounterVec
	spooled *prometheus.GaugeVec
}

// newMetrics registers the stream's metrics.
func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_audit_events_total",
			Help: "Audit events by sink and result: delivered, failed (an attempt that is tried again), dropped (no room), dead (put with the dead letters).",
		}, []string{"sink", "result"}),
		spooled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sallyport_audit_spooled_events",
			Help: "Audit events that wait to be delivered.",
		}, []string{"sink"}),
	}
	var err error
	if m.events, err = register(registry, m.events); err != nil {
		return nil, err
	}
	if m.spooled, err = register(registry, m.spooled); err != nil {
		return nil, err
	}
	return m, nil
}

// register gives the collector that counts: the one that is registered already, where a
// process opens a second stream.
func register[C prometheus.Collector](registry prometheus.Registerer, collector C) (C, error) {
	err := registry.Register(collector)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if there, ok := already.ExistingCollector.(C); ok {
			return there, nil
		}
	}
	if err != nil {
		return collector, fmt.Errorf("register the audit stream's metrics: %w", err)
	}
	return collector, nil
}

func (m *metrics) of(sink string) counters {
	return counters{
		delivered: m.events.WithLabelValues(sink, "delivered"), failed: m.events.WithLabelValues(sink, "failed"),
		dropped: m.events.WithLabelValues(sink, "dropped"), dead: m.events.WithLabelValues(sink, "dead"),
		spooled: m.spooled.WithLabelValues(sink),
	}
}
