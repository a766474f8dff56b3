package session

import (
	"slices"
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

// progress of one session, which has left once it is gone.
type progress struct {
	head             record.Head
	allowed, refused int64
	gone             bool
}

// recorded takes a session's newest head.
func (t *Task) recorded(head record.Head, allowed, refused int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := progress{head: head, allowed: allowed, refused: refused}
	if known := t.counters.of(head.Session); known != nil {
		*known = now
	} else {
		t.counters.add(now)
	}
	t.report()
}

func (c *counters) of(session string) *progress {
	for i := range c.sessions {
		if c.sessions[i].head.Session == session {
			return &c.sessions[i]
		}
	}
	return nil
}

// add makes room by forgetting the oldest session that has left.
func (c *counters) add(now progress) {
	oldest := slices.IndexFunc(c.sessions, func(p progress) bool { return p.gone })
	if len(c.sessions) >= maxHeads && oldest >= 0 {
		c.pastAllowed += c.sessions[oldest].allowed
		c.pastRefused += c.sessions[oldest].refused
		c.sessions = slices.Delete(c.sessions, oldest, oldest+1)
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
