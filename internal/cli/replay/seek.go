package replay

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// place is where a replay begins: an event, a time, or so long after the beginning.
type place struct {
	event int64
	at    time.Time
	after time.Duration
	// clock says that at has no date: it is the session's.
	clock bool
}

var errSeek = errors.New("--seek takes #EVENT (#42), a duration since the beginning (2m30s), a time of the session's day in UTC (14:05:30), or a whole time (2026-03-01T14:05:30Z)")

// parsePlace reads --seek.
func parsePlace(text string) (place, error) {
	if number, ok := strings.CutPrefix(text, "#"); ok {
		event, err := strconv.ParseInt(number, 10, 64)
		if err != nil || event < 1 {
			return place{}, errSeek
		}
		return place{event: event}, nil
	}
	if after, err := time.ParseDuration(text); err == nil && after >= 0 {
		return place{after: after}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return place{at: at}, nil
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return place{at: at, clock: true}, nil
		}
	}
	return place{}, errSeek
}

// seek goes there, in a session that began at a time.
func (p place) seek(events *record.Reader, began time.Time) error {
	at := p.at
	switch {
	case p.event > 0:
		return events.SeekEvent(p.event)
	case p.clock:
		began = began.UTC()
		at = time.Date(began.Year(), began.Month(), began.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
		if at.Before(began.Truncate(time.Second)) {
			at = at.AddDate(0, 0, 1) // past midnight
		}
	case at.IsZero():
		at = began.Add(p.after)
	}
	return events.SeekTime(at)
}
