// Package terminaltest stands in for a terminal in tests.
package terminaltest

import (
	"bytes"
	"sync"
)

// Buffer is written by a command and read by its test, at the same time.
type Buffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

// Write appends.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

// String is what was written so far.
func (b *Buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}
