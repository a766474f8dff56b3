package session

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
)

// reportEvery coalesces reports.
const reportEvery = 500 * time.Millisecond

// maxHeads is how many of the newest sessions a report has the heads of.
const maxHeads = control.MaxHeads

// Report is what the task tells of its sessions. A newer one replaces it whole.
type Report struct {
	// Active and Total sessions; Allowed and Refused operations over all of them.
	Active, Total    int32
	Allowed, Refused int64
	// Heads of the newest sessions' recordings, oldest first, and what of them is signed.
	Heads  []record.Head
	Sealed []record.Signature
	// Lost is what could not be recorded, in one line.
	Lost string
	// Audit is the newest events, AuditMissed how many were displaced unreported.
	Audit       []control.AuditEvent
	AuditMissed int64
}

// progress of one session.
type progress struct {
	session          string
	recording        Recording
	allowed, refused int64
}

func progressOf(s *Session) progress {
	p := progress{session: s.id, allowed: s.allowed.Load(), refused: s.refused.Load()}
	if b := s.begunWith.Load(); b != nil {
		p.recording = b.recording
	}
	return p
}

// past is the sessions that have left.
type past struct {
	newest []progress
	// allowed and refused by those before.
	allowed, refused int64
}

func (p *past) add(left progress) {
	p.newest = append(p.newest, left)
	if len(p.newest) > maxHeads {
		p.allowed, p.refused = p.allowed+p.newest[0].allowed, p.refused+p.newest[0].refused
		p.newest = slices.Delete(p.newest, 0, 1)
	}
}

// report asks watch to report at once.
func (t *Task) report() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.urgent = true
	t.poke()
}

// Report sends what is new, at once.
func (t *Task) Report() {
	t.mu.Lock()
	t.urgent = true
	t.mu.Unlock()
	t.sendReport()
}

// sendReport sends the report that is due, if any.
func (t *Task) sendReport() {
	t.reporting.Lock()
	defer t.reporting.Unlock()
	t.mu.Lock()
	now := t.options.Now()
	due := t.options.Report != nil && (t.urgent || now.Sub(t.reportedAt) >= reportEvery)
	if !due {
		t.mu.Unlock()
		return
	}
	t.urgent, t.reportedAt = false, now
	report, sessions := t.counts()
	t.mu.Unlock()
	// A recording that is being written keeps nobody else waiting.
	for _, session := range sessions {
		if session.recording == nil {
			continue
		}
		report.Heads = append(report.Heads, session.recording.Head())
		if sealed, ok := session.recording.Sealed(); ok {
			report.Sealed = append(report.Sealed, sealed)
		}
	}
	if reflect.DeepEqual(report, t.reported) {
		return
	}
	t.reported = report
	t.options.Report(report)
}

// counts is a report without heads, and the sessions that it has heads of, oldest
// first: those that are open, and the newest of the others. Callers hold mu.
func (t *Task) counts() (Report, []progress) {
	report := Report{
		Active: t.active, Total: t.total, Allowed: t.past.allowed, Refused: t.past.refused,
		Lost: t.lost.String(), Audit: slices.Clone(t.audits.events), AuditMissed: t.audits.missed,
	}
	t.audits.reported = len(t.audits.events)
	var open []progress
	for s := range t.sessions {
		if s.entered {
			open = append(open, progressOf(s))
		}
	}
	for _, session := range slices.Concat(open, t.past.newest) {
		report.Allowed += session.allowed
		report.Refused += session.refused
	}
	room := min(max(maxHeads-len(open), 0), len(t.past.newest))
	sessions := slices.Concat(open, t.past.newest[len(t.past.newest)-room:])
	slices.SortFunc(sessions, func(a, b progress) int { return strings.Compare(a.session, b.session) })
	return report, sessions[max(len(sessions)-maxHeads, 0):]
}
