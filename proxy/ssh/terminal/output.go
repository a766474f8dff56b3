package terminal

import (
	"io"
	"maps"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/mask"
)

const (
	// quiet is the silence after which what does not look like the beginning of a value
	// is shown: a prompt is not followed by anything.
	quiet = 5 * time.Millisecond
	// overdue is the silence after which what does is masked: fail closed.
	overdue = 10 * time.Second
)

// Timer is what Output needs of a time.Timer.
type Timer interface {
	Reset(time.Duration) bool
	Stop() bool
}

// Options of an Output. The zero value is the machine's clock.
type Options struct {
	// Now is the clock.
	Now func() time.Time
	// AfterFunc runs f in its own goroutine once, as time.AfterFunc does.
	AfterFunc func(d time.Duration, f func()) Timer
}

// Output masks what is written to it, and hands it on. It is safe for concurrent use;
// what it hands on is written by one goroutine at a time.
type Output struct {
	options Options

	mu     sync.Mutex
	to     io.Writer
	stream *mask.Stream
	counts mask.Counts
	echo   echo
	ready  []byte
	timer  Timer
	// settled says that the first silence is over, and the longer one runs.
	settled bool
	// written is when a piece came last.
	written time.Time
	closed  bool
	// err is why what a timer handed on did not arrive.
	err error
	// turns are the timers' goroutines.
	turns sync.WaitGroup
}

// NewOutput masks with set, and writes to to.
func NewOutput(set *mask.Set, to io.Writer, options Options) *Output {
	if options.Now == nil {
		options.Now = time.Now //nolint:forbidigo // who injects none has the machine's
	}
	if options.AfterFunc == nil {
		options.AfterFunc = func(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
	}
	counts := mask.Counts{}
	return &Output{options: options, to: to, stream: mask.NewStream(set, counts), counts: counts}
}

// Typed tells what the client is typing, which the terminal will repeat. It is kept for
// a second, in memory alone. It waits for no output: Ctrl-C must pass a client that does
// not read.
func (o *Output) Typed(p []byte) {
	o.echo.typed(p, o.options.Now())
}

// Write takes a piece of the output. The error may be of a piece before it.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.ready = o.ready[:0]
	now := o.options.Now()
	n := o.echo.repeats(p, now)
	if n > 0 {
		o.ready = o.stream.Pass(o.ready, p[:n])
	}
	if n < len(p) {
		o.ready = o.stream.Write(o.ready, p[n:])
	}
	if err := o.hand(); err != nil {
		return 0, err
	}
	o.settled, o.written = false, now
	o.wait(quiet)
	return len(p), nil
}

// hand writes what is ready.
func (o *Output) hand() error {
	if len(o.ready) == 0 || o.err != nil {
		return o.err
	}
	_, o.err = o.to.Write(o.ready)
	return o.err
}

// wait has silence called after d, if anything is held.
func (o *Output) wait(d time.Duration) {
	switch {
	case o.stream.Held() == 0 || o.closed:
	case o.timer == nil:
		o.turns.Add(1)
		o.timer = o.options.AfterFunc(d, o.silence)
	case o.timer.Stop():
		o.timer.Reset(d)
	default:
		// It has run, or runs and waits for the lock.
		o.turns.Add(1)
		o.timer.Reset(d)
	}
}

// silence is called when nothing came for a while.
func (o *Output) silence() {
	defer o.turns.Done()
	o.mu.Lock()
	defer o.mu.Unlock()
	since := o.options.Now().Sub(o.written)
	if o.closed || o.err != nil || o.stream.Held() == 0 {
		return
	}
	o.ready = o.ready[:0]
	switch {
	case !o.settled && since < quiet:
		o.wait(quiet - since)
		return
	case !o.settled:
		o.settled = true
		o.ready = o.stream.Settle(o.ready)
	case since < overdue:
	default:
		o.ready = o.stream.Mask(o.ready)
	}
	if o.hand() == nil {
		o.wait(max(overdue-since, quiet))
	}
}

// Close hands on what is held still, and waits for the timers' goroutines.
func (o *Output) Close() error {
	o.mu.Lock()
	o.closed = true
	o.ready = o.stream.Flush(o.ready[:0])
	err := o.hand()
	if o.timer != nil && o.timer.Stop() {
		o.turns.Done()
	}
	o.echo.forget()
	o.mu.Unlock()
	o.turns.Wait()
	return err
}

// Counts is what was masked so far.
func (o *Output) Counts() mask.Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.counts)
}
