package session

import (
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// reportEvery coalesces reports.
const reportEvery = 500 * time.Millisecond

// maxHeads is how many of the newest sessions a report has the heads of.
const maxHeads = 64

// Report is what the task tells of its sessions. A newer one replaces it whole.
type Report struct {
	// Active and Total sessions; Allowed and Refused operations over all of them.
	Active, Total    int32
	Allowed, Refused int64
	// Heads of the newest sessions' recordings, oldest first.
	Heads []record.Head
}

type counters struct {
	active, total int32
	// past is the operations of sessions that have no head here any more.
	pastAllowed, pastRefused int64
	sessions                 []progress
	dirty, urgent            bool
	reportedAt               time.Time
}

// progress of one session.
type progress struct {
	head             record.Head
	allowed, refused int64
}

// recorded takes a session's newest head.
func (t *Task) recorded(head record.Head, allowed, refused int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := progress{head, allowed, refused}
	for i := range t.counters.sessions {
		if t.counters.sessions[i].head.Session == head.Session {
			t.counters.sessions[i] = now
			t.report()
			return
		}
	}
	t.counters.add(now)
	t.report()
}

// add makes room by forgetting the oldest session that has ended.
func (c *counters) add(now progress) {
	for i := 0; i < len(c.sessions) && len(c.sessions) >= maxHeads; i++ {
		if oldest := c.sessions[i]; oldest.head.Complete || i == len(c.sessions)-1 {
			c.pastAllowed += oldest.allowed
			c.pastRefused += oldest.refused
			c.sessions = append(c.sessions[:i], c.sessions[i+1:]...)
		}
	}
	c.sessions = append(c.sessions, now)
}

// report asks watch to report. Callers hold mu.
func (t *Task) report() {
	if t.counters.dirty && !t.counters.urgent {
		return
	}
	t.counters.dirty = true
	t.poke()
}

// reportNow sends what is new, at once.
func (t *Task) reportNow() {
	t.mu.Lock()
	t.counters.urgent = true
	t.mu.Unlock()
	t.sendReport()
}

// sendReport sends the report that is due, if any.
func (t *Task) sendReport() {
	t.reporting.Lock()
	defer t.reporting.Unlock()
	t.mu.Lock()
	report, due := t.counters.take(t.options.Now())
	t.mu.Unlock()
	if due && t.options.Report != nil {
		t.options.Report(report)
	}
}

func (c *counters) take(now time.Time) (Report, bool) {
	if !c.dirty || (!c.urgent && now.Sub(c.reportedAt) < reportEvery) {
		return Report{}, false
	}
	c.dirty, c.urgent, c.reportedAt = false, false, now
	report := Report{Active: c.active, Total: c.total, Allowed: c.pastAllowed, Refused: c.pastRefused}
	for _, session := range c.sessions {
		report.Allowed += session.allowed
		report.Refused += session.refused
		report.Heads = append(report.Heads, session.head)
	}
	return report, true
}
