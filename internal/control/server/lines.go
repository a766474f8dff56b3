package server

import (
	"context"
	"errors"
	"sync"
)

// errReplaced ends a life line whose proxy has attached again.
var errReplaced = errors.New("the proxy attached again")

// lifeLines holds the one stream of each request: a newer ends an older.
type lifeLines struct {
	mu      sync.Mutex
	current map[string]*lifeLine
}

type lifeLine struct {
	end context.CancelCauseFunc
}

// take makes the stream that end ends the request's, and returns what gives it up.
func (l *lifeLines) take(requestUID string, end context.CancelCauseFunc) (release func()) {
	mine := &lifeLine{end: end}
	l.mu.Lock()
	defer l.mu.Unlock()
	if older := l.current[requestUID]; older != nil {
		older.end(errReplaced)
	}
	l.current[requestUID] = mine
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.current[requestUID] == mine {
			delete(l.current, requestUID)
		}
	}
}
