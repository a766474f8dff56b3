package canary

import (
	"fmt"
	"sync"
	"testing"
)

// enoughLeaks end a run.
const enoughLeaks = 12

// leaks are the canaries that arrived, one for each statement. It is safe for
// concurrent use.
type leaks struct {
	mu        sync.Mutex
	statement string
	terms     string
	list      []string
	told      map[string]bool
}

// under these terms, after that statement, is what is found from now on.
func (l *leaks) under(terms string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.terms = terms
}

func (l *leaks) after(statement string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statement = statement
}

func (l *leaks) now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.statement
}

func (l *leaks) found(where, form string, around []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told[l.statement] {
		return
	}
	if l.told == nil {
		l.told = map[string]bool{}
	}
	l.told[l.statement] = true
	l.list = append(l.list, fmt.Sprintf("%s arrived at the %s:\n\t%.200q\n\tafter %s\n\tunder %s", form, where, around, l.statement, l.terms))
}

func (l *leaks) atClient(form string, around []byte) { l.found("client", form, around) }

func (l *leaks) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list)
}

func (l *leaks) many() bool { return l.number() >= enoughLeaks }

func (l *leaks) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, leak := range l.list {
		t.Error(leak)
	}
}
