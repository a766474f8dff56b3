package audit

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Dead letters turn over at 16 MiB, and as much is kept of what was before.
const maxDeadLetters = 16 << 20

// deadLetters is a file of events that a receiver did not take, each with why.
type deadLetters struct {
	mu   sync.Mutex
	file file
}

func (d *deadLetters) put(line []byte, reason error, at time.Time) error {
	letter := struct {
		Time   time.Time       `json:"time"`
		Reason string          `json:"reason"`
		Event  json.RawMessage `json:"event,omitempty"`
		Text   string          `json:"text,omitempty"`
	}{Time: at.UTC(), Reason: reason.Error()}
	if json.Valid(line) {
		letter.Event = line
	} else {
		letter.Text = string(line)
	}
	encoded, err := marshal(letter)
	if err != nil {
		return fmt.Errorf("keep a dead letter: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.file.write([]entry{{line: encoded}}); err != nil {
		return fmt.Errorf("keep a dead letter: %w", err)
	}
	return nil
}

func (d *deadLetters) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.file.close()
}
