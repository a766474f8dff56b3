package ssh

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/record"
)

// program is what is to run, once it was granted.
type program struct {
	// kind of the action.
	kind string
	// request that starts it on the target.
	request prepared
	// operation in the recording.
	operation int64
	// counted says that its input is counted alone, and neither kept nor hashed.
	counted bool
}

// run is a program on the target, and its way to the client and back.
type run struct {
	*sessionChannel
	program
	target     ssh.Channel
	fromTarget <-chan *ssh.Request
	// over is closed when all that it said has been handed on, and its result recorded.
	over chan struct{}

	// tag is how it ended, exit status or signal; tagged is closed once that is known.
	tag    string
	tagged chan struct{}
	// out is what the client got, in bytes.
	out atomic.Int64
	// masked is how many values were masked, by why.
	mu     sync.Mutex
	masked map[string]int64
}

func newRun(s *sessionChannel, target ssh.Channel, fromTarget <-chan *ssh.Request, p program) *run {
	return &run{
		sessionChannel: s, program: p, target: target, fromTarget: fromTarget,
		over: make(chan struct{}), tagged: make(chan struct{}),
	}
}

// start relays until the program has ended, or its channel.
func (r *run) start() {
	if r.terminal != nil {
		r.sized(r.terminal.Columns, r.terminal.Rows)
	}
	r.channels.Go(func() {
		defer close(r.over)
		defer r.noteRun(r)()
		relay := (*run).relayBytes
		if judged := judgedRelay(r.kind); judged != nil {
			relay = judged
		}
		requests := goroutines{caught: r.caught}
		requests.Go(r.serveTarget)
		err := relay(r)
		if err != nil {
			r.broken(err)
			r.kill("HUP")
		}
		requests.Wait()
		r.finish(err)
	})
}

// resized records and hands on a terminal's new size.
func (r *run) resized(size windowChange) {
	r.sized(size.Columns, size.Rows)
	_, _ = r.target.SendRequest("window-change", false, ssh.Marshal(&size))
}

func (r *run) closeTarget() { _ = r.target.Close() }

// relayBytes hands on what nothing but masks looks into: of a shell, or a command.
func (r *run) relayBytes() error {
	stdout := r.outlet(r.client)
	record := func(p []byte) error { return r.session.Stream(r.ctx, r.operation, p) }
	if r.counted {
		record = func(p []byte) error {
			stdout.Typed(p)
			return nil
		}
	}
	r.typed.release(r.target, record, func(err error) {
		if err == nil {
			_ = r.target.CloseWrite()
			return
		}
		r.broken(err)
	})
	outputs := goroutines{caught: r.caught}
	var failed error
	outputs.Go(func() { failed = r.relayOutput(r.outlet(writerFunc(r.writeStderr)), r.target.Stderr()) })
	err := r.relayOutput(stdout, r.target)
	outputs.Wait()
	if !r.isLost() {
		r.closeWrite()
	}
	return errors.Join(err, failed)
}

// outlet masks and records what the program says as the policy wants it, and writes it
// to to.
func (r *run) outlet(to io.Writer) outlet {
	return r.newOutlet(r.session.Masks(), &output{run: r, to: to, keep: r.terminal != nil || r.full()})
}

// relayOutput hands on what the program says to its end.
func (r *run) relayOutput(to outlet, from io.Reader) error {
	_, err := r.move(to, from, nil)
	return errors.Join(err, to.Close(), r.mask(to.Counts()))
}

// mask adds to what was masked.
func (r *run) mask(counts mask.Counts) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for why, n := range counts {
		if r.masked == nil {
			r.masked = map[string]int64{}
		}
		r.masked[why] += n
	}
	return nil
}

// output is what the client gets, recorded before where that is wanted.
type output struct {
	run  *run
	to   io.Writer
	keep bool
}

func (o *output) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), record.MaxBlock)]
		if o.keep {
			err := o.run.session.Terminal(o.run.ctx, record.Terminal{Operation: o.run.operation, Kind: "output", Data: part})
			if err != nil {
				o.run.end(err)
				return n, err
			}
		}
		w, err := o.to.Write(part)
		n += w
		o.run.out.Add(int64(w))
		if err != nil {
			return n, err
		}
		p = p[len(part):]
	}
	return n, nil
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// lostWithin is how long the end of a connection may take to be noticed behind the end
// of its channels.
const lostWithin = 50 * time.Millisecond

// isLost says that not the program has ended, but the connection: then whoever ends that
// tells the client why. A program that ends its output and goes on is a little later heard.
func (r *run) isLost() bool {
	timer := time.NewTimer(lostWithin)
	defer timer.Stop()
	select {
	case <-r.tagged:
	case <-timer.C:
	case <-r.ctx.Done():
	}
	return r.ctx.Err() != nil
}

// finish tells the client, and the recording, how it ended.
func (r *run) finish(err error) {
	lost := r.isLost()
	tag := "closed"
	select {
	case <-r.tagged:
		tag = r.tag
	default:
	}
	if n := r.typed.bytes.Load(); n > 0 {
		tag += fmt.Sprintf(", %d bytes in", n)
	}
	result := record.Result{Operation: r.operation, Tag: tag, Bytes: r.out.Load(), Masked: r.masked}
	if err != nil {
		result.Error = clean(err.Error())
	}
	if err := r.session.Result(r.ctx, result); err != nil {
		r.end(err)
	}
	if lost {
		return
	}
	r.closeWrite()
	_ = r.client.Close()
}

// serveTarget hands on what the target says of the program (RFC 4254 section 6.10).
func (r *run) serveTarget() {
	for request := range r.fromTarget {
		ok := false
		switch request.Type {
		case "exit-status":
			var status exitStatus
			if read(request.Payload, &status) == nil {
				r.ends(fmt.Sprintf("exit %d", status.Status))
				ok = r.notify(request.Type, ssh.Marshal(&status))
			}
		case "exit-signal":
			var signal exitSignal
			if read(request.Payload, &signal) == nil {
				signal.Signal, signal.Message, signal.Language = clean(signal.Signal), clean(signal.Message), clean(signal.Language)
				r.ends("signal " + signal.Signal)
				ok = r.notify(request.Type, ssh.Marshal(&signal))
			}
		case "xon-xoff", "eow@openssh.com":
			ok = len(request.Payload) <= 1 && r.notify(request.Type, request.Payload)
		case keepalive:
			ok = true
		}
		_ = request.Reply(ok, nil)
	}
}

// ends notes how the program ended; the first word counts.
func (r *run) ends(tag string) {
	select {
	case <-r.tagged:
	default:
		r.tag = tag
		close(r.tagged)
	}
}

func (r *run) notify(name string, payload []byte) bool {
	_, err := r.client.SendRequest(name, false, payload)
	return err == nil
}
