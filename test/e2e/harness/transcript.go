package harness

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Transcript is what a running program has printed so far.
type Transcript struct {
	mu   sync.Mutex
	text strings.Builder
	// more is closed, and made anew, whenever something is added.
	more chan struct{}
	// first is when the first byte came.
	first time.Time
}

func newTranscript() *Transcript { return &Transcript{more: make(chan struct{})} }

// Write adds to it.
func (p *Transcript) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first.IsZero() {
		p.first = time.Now()
	}
	p.text.Write(b)
	close(p.more)
	p.more = make(chan struct{})
	return len(b), nil
}

func (p *Transcript) now() (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String(), p.more
}

// String is all of it.
func (p *Transcript) String() string {
	text, _ := p.now()
	return text
}

// Await waits for words after an offset, and returns the text up to them and the
// offset behind them.
func (p *Transcript) Await(t testing.TB, from int, words string, patience time.Duration) (before string, after int) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		text, more := p.now()
		if at := strings.Index(text[from:], words); at >= 0 {
			return text[from : from+at], from + at + len(words)
		}
		select {
		case <-more:
		case <-late.C:
			t.Fatalf("%q is not there after %v; there is: %s", words, patience, text)
		case <-t.Context().Done():
			t.Fatalf("interrupted while waiting for %q", words)
		}
	}
}
