package session

import (
	"github.com/sallyport/sallyport/internal/control"
)

// auditRing is the newest events for the manager's audit stream.
type auditRing struct {
	events []control.AuditEvent
	// reported is how many of events a report has held; missed were displaced before.
	reported int
	missed   int64
}

func (r *auditRing) add(event control.AuditEvent) {
	if len(r.events) == control.MaxAudit {
		r.events = append(r.events[:0], r.events[1:]...)
		if r.reported > 0 {
			r.reported--
		} else {
			r.missed++
		}
	}
	r.events = append(r.events, event)
}

// audit notes an event of this session.
func (s *Session) audit(event control.AuditEvent) {
	event.Session, event.Sequence, event.Time = s.id, s.audited.Add(1), s.task.options.Now()
	s.task.mu.Lock()
	defer s.task.mu.Unlock()
	s.task.audits.add(event)
}
