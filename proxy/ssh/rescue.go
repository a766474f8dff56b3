package ssh

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// errInternal ends a connection that failed by a fault of the proxy's own.
var errInternal = errors.New("internal error: the session cannot go on")

// goroutines are of one connection, and panic for it alone: they read what clients and
// targets write, and the process serves other sessions. Make them with caught.
type goroutines struct {
	sync.WaitGroup
	caught func(func()) func()
}

// Go runs f.
func (g *goroutines) Go(f func()) { g.WaitGroup.Go(g.caught(f)) }

// caught is f, whose panic ends the connection, and nothing else.
func (c *connection) caught(f func()) func() {
	return func() {
		defer func() {
			if p := recover(); p != nil {
				c.engine.options.Log.Error(fmt.Errorf("panic: %v", p), "A connection failed", "session", c.session.ID(), "stack", string(debug.Stack()))
				c.end(errInternal)
			}
		}()
		f()
	}
}
