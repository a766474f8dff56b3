package sftp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sync"

	"github.com/sallyport/sallyport/internal/record"
)

// file is what an open has opened.
type file struct {
	relay     *Relay
	handle    string
	path      string
	operation int64
	folder    bool
	// read and write are what it was admitted for; appends says that the target writes at
	// the end, wherever it is told to.
	read, write, appends bool

	// mu guards the rest: the client's half writes, the target's reads.
	mu       sync.Mutex
	from, to transfer
	failure  string
	closed   bool
}

// transfer is one direction of a file.
type transfer struct {
	bytes int64
	// next is where the hash goes on; broken says that the bytes did not come in order.
	next   uint64
	hash   hash.Hash
	broken bool
	// unrecorded bytes are about to be forwarded.
	unrecorded int64
	// most is how large the file may be; 0 is no bound.
	most int64
	// stopped is why no more may pass.
	stopped *Refused
}

// pass counts bytes that are about to pass, or says why they may not.
func (f *file) pass(t *transfer, direction Direction, offset uint64, data []byte) error {
	if t.stopped != nil {
		return t.stopped
	}
	end := offset + uint64(len(data))
	if t.most > 0 && (end > uint64(t.most) || end < offset) {
		t.stopped = tooLarge(t.most)
		return t.stopped
	}
	if err := f.relay.Gate.Move(direction, int64(len(data))); err != nil {
		if refused, ok := err.(*Refused); ok { //nolint:errorlint // the gate's own
			t.stopped = refused
		}
		return err
	}
	return f.take(t, offset, data)
}

func tooLarge(most int64) *Refused {
	return &Refused{fmt.Sprintf("sallyport: the grant has files of at most %d bytes here", most)}
}

// take hashes bytes that come in order, and keeps the first.
func (f *file) take(t *transfer, offset uint64, data []byte) error {
	t.bytes += int64(len(data))
	if t.broken || offset != t.next {
		t.broken, t.hash = true, nil
		return nil
	}
	if t.hash == nil {
		t.hash = sha256.New()
	}
	_, _ = t.hash.Write(data)
	t.next += uint64(len(data))
	if keep := f.relay.Gate.KeepBytes(); keep > 0 && offset < uint64(keep) {
		return f.relay.Gate.Content(f.operation, data[:min(int64(len(data)), keep-int64(offset))])
	}
	return nil
}

func (t *transfer) sum() string {
	if t.broken || t.hash == nil {
		return ""
	}
	return hex.EncodeToString(t.hash.Sum(nil))
}

// beforeForward records what an upload is about to add.
func (f *file) beforeForward() error {
	f.mu.Lock()
	n, sum := f.to.unrecorded, f.to.sum()
	f.to.unrecorded = 0
	f.mu.Unlock()
	if n == 0 {
		return nil
	}
	return f.relay.Gate.Stream(f.operation, n, sum)
}

// finish records what came of the file, once.
func (f *file) finish(tag string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	gate := f.relay.Gate
	for _, one := range []struct {
		*transfer
		op        string
		direction Direction
		mode      bool
	}{{&f.from, "read", Download, f.read}, {&f.to, "write", Upload, f.write}} {
		// What was opened for writing may have been emptied by that alone.
		if f.folder || !one.mode || one.op == "read" && one.bytes == 0 && f.write {
			continue
		}
		event := record.File{Operation: f.operation, Path: f.path, Op: one.op, Bytes: one.bytes, SHA256: one.sum(), Direction: string(one.direction)}
		if one.bytes == 0 && !one.broken {
			event.SHA256 = emptySum
		}
		if err := gate.File(event); err != nil {
			return err
		}
	}
	return gate.Result(record.Result{Operation: f.operation, Tag: tag, Bytes: f.from.bytes + f.to.bytes, Error: f.failure})
}

var emptySum = hex.EncodeToString(sha256.New().Sum(nil))

func (f *file) fail(why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == "" {
		f.failure = why
	}
}
