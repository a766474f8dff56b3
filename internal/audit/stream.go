package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

// Options are what a stream is made of.
type Options struct {
	// Source is the CloudEvents source: SourceOf. It is asked at each event.
	Source func() string
	// Stdout is where the sink stdout writes.
	Stdout  io.Writer
	Metrics prometheus.Registerer
	Now     func() time.Time
	Log     logr.Logger
	// RetryFirst and RetryMost are the first and the longest wait of a sink that failed,
	// by default 1 s and 1 min; Grace is how long a webhook's spool is still delivered
	// at the end, by default 3 s.
	RetryFirst, RetryMost, Grace time.Duration
}

// output is one sink of a stream.
type output interface {
	put(e entry) bool
	// settle waits for room, no longer than ctx.
	settle(ctx context.Context)
	// run delivers until ctx ends and a little longer.
	run(ctx context.Context)
	close() error
}

// Stream is the Sink that delivers to every sink that was asked for. It is a
// Runnable of controller-runtime's manager, for every replica.
type Stream struct {
	options Options
	outputs []output
	counts  []counters
	metrics *metrics
}

var _ Sink = (*Stream)(nil)

// SourceOf names an installation by its authority's certificate, which manager and
// reader both have.
func SourceOf(ca []byte) string {
	block, _ := pem.Decode(ca)
	if block == nil {
		return "urn:sallyport:unknown"
	}
	sum := sha256.Sum256(block.Bytes)
	return "urn:sallyport:" + hex.EncodeToString(sum[:8])
}

// Emit implements Sink.
func (s *Stream) Emit(events ...Event) {
	for _, e := range events {
		made, err := s.encode(e)
		if err != nil {
			s.options.Log.Error(err, "an audit event was dropped", "event", e.ID)
		}
		for i, out := range s.outputs {
			if err != nil || !out.put(made) {
				s.counts[i].dropped.Inc()
			}
		}
	}
}

// patience bounds how long EmitPatiently waits.
const patience = 2 * time.Second

// EmitPatiently is Emit for a caller who may wait a little, and has more to tell than
// fits at once: a new leader.
func (s *Stream) EmitPatiently(events ...Event) {
	for _, e := range events {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		for _, out := range s.outputs {
			out.settle(ctx)
		}
		cancel()
		s.Emit(e)
	}
}

func (s *Stream) encode(e Event) (entry, error) {
	line, err := encode(s.options.Source(), e)
	// Clipped: several sinks hold it, and one appends to it.
	return entry{subject: e.Subject.String(), line: slices.Clip(line)}, err
}

// gap tells of events that were dropped.
func (s *Stream) gap(d Dropped) (entry, error) {
	return s.encode(Once(StreamDropped, Subject{}, s.options.Now(), d))
}

// NeedLeaderElection says that every replica tells what it decides itself.
func (*Stream) NeedLeaderElection() bool { return false }

// Start delivers until ctx ends, and then what is left for a few seconds.
func (s *Stream) Start(ctx context.Context) error {
	var running sync.WaitGroup
	for _, out := range s.outputs {
		running.Go(func() { out.run(ctx) })
	}
	running.Wait()
	return nil
}

// close gives back what was opened for a stream that is never started.
func (s *Stream) close() error {
	var errs []error
	for _, out := range s.outputs {
		errs = append(errs, out.close())
	}
	return errors.Join(errs...)
}

func (s *Stream) newPump(name string, write func([]entry) (int, error)) *pump {
	return &pump{
		queue: newQueue(s.options.Now), write: write, gap: s.gap, count: s.metrics.of(name),
		backoff: backoff{first: s.options.RetryFirst, most: s.options.RetryMost}, log: s.options.Log.WithValues("sink", name),
	}
}

// add takes a sink in.
func (s *Stream) add(name string, out output) {
	s.outputs, s.counts = append(s.outputs, out), append(s.counts, s.metrics.of(name))
}

// lines is a sink that is written to line by line: stdout, or a file.
type lines struct {
	pump *pump
	end  func() error
}

func (l *lines) put(e entry) bool { return l.pump.queue.put(e) }

func (l *lines) settle(ctx context.Context) { l.pump.settle(ctx) }

func (l *lines) run(ctx context.Context) {
	l.pump.run(ctx)
	if err := l.close(); err != nil {
		l.pump.log.Error(err, "close an audit sink")
	}
}

func (l *lines) close() error { return l.end() }

// addStdout adds a sink of whole lines.
func (s *Stream) addStdout() {
	const name = "stdout"
	count := s.metrics.of(name)
	s.add(name, &lines{end: func() error { return nil }, pump: s.newPump(name, func(entries []entry) (int, error) {
		for i, e := range entries {
			if _, err := s.options.Stdout.Write(append(e.line, '\n')); err != nil {
				return i, fmt.Errorf("write to stdout: %w", err)
			}
			count.delivered.Inc()
		}
		return len(entries), nil
	})})
}

// addFile adds a file that turns over at limit bytes.
func (s *Stream) addFile(path string, limit int64, keep int) error {
	const name = "file"
	count := s.metrics.of(name)
	out := &file{path: path, limit: limit, keep: keep}
	if err := out.ready(); err != nil {
		return err
	}
	s.add(name, &lines{end: out.close, pump: s.newPump(name, func(entries []entry) (int, error) {
		n, err := out.write(entries)
		count.delivered.Add(float64(n))
		return n, err
	})})
	return nil
}
