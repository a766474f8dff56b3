package audit

import (
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
	for _, collector := range []prometheus.Collector{m.events, m.spooled} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register the audit stream's metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) of(sink string) counters {
	return counters{
		delivered: m.events.WithLabelValues(sink, "delivered"), failed: m.events.WithLabelValues(sink, "failed"),
		dropped: m.events.WithLabelValues(sink, "dropped"), dead: m.events.WithLabelValues(sink, "dead"),
		spooled: m.spooled.WithLabelValues(sink),
	}
}
