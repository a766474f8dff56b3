package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/ssh/argv"
	"github.com/sallyport/sallyport/proxy/ssh/restricted"
)

// afterInterrupt is how long a command without a terminal has, once it was interrupted.
const afterInterrupt = 2 * time.Second

// lineShell is the proxy's own shell on a session channel: each line is a command of its
// own, judged by itself, on a channel of its own to the target.
type lineShell struct {
	*sessionChannel
	operation int64
	keyboard  *restricted.Keyboard
	shell     *restricted.Shell
	// ctx ends with the channel.
	ctx  context.Context
	stop context.CancelFunc
	// over is closed when the shell has ended.
	over chan struct{}

	mu sync.Mutex
	// current is the command that runs.
	current *run
	size    windowChange
}

// runRestricted is the proxy's own line editor.
func (s *sessionChannel) runRestricted(p program) bool {
	l := &lineShell{sessionChannel: s, operation: p.operation, keyboard: restricted.NewKeyboard(), over: make(chan struct{})}
	l.ctx, l.stop = context.WithCancel(s.ctx)
	config := restricted.Config{Prompt: clean(s.login) + "@" + s.host() + "> ", Execute: l.execute}
	if granted := s.granted(); granted != nil {
		config.Commands, config.Any = granted.Commands, granted.Unrestricted
	}
	if t := s.terminal; t != nil {
		config.Terminal, config.Columns, config.Rows = true, int(t.Columns), int(t.Rows)
		l.size = windowChange{t.Columns, t.Rows, t.Width, t.Height}
	}
	l.shell = restricted.New(l.keyboard, s.client, config)
	s.lines = l
	s.channels.Go(l.run)
	s.typed.release(l.keyboard, nil, func(error) { l.keyboard.End() })
	return true
}

// granted is the newest grant; nil where there is none.
func (s *sessionChannel) granted() *v1alpha1.SSHGrant {
	if granted := s.session.State().Grant; granted != nil {
		return granted.Policy.Grant.SSH
	}
	return nil
}

// host is the target's name.
func (s *sessionChannel) host() string {
	if granted := s.session.State().Grant; granted != nil && granted.SSH != nil {
		return clean(granted.SSH.Host)
	}
	return "target"
}

// run reads lines until the client leaves.
func (l *lineShell) run() {
	defer close(l.over)
	defer l.stop()
	status, err := l.shell.Run(l.ctx)
	l.keyboard.End()
	l.result(l.operation, fmt.Sprintf("exit %d", status), 0, nil)
	if err != nil || l.connection.ctx.Err() != nil {
		// Whoever ends the connection tells the client why.
		return
	}
	l.exits(uint32(status))
}

// resized is of the client's terminal.
func (l *lineShell) resized(size windowChange) {
	l.shell.Resize(int(size.Columns), int(size.Rows))
	l.mu.Lock()
	l.size = size
	current := l.current
	l.mu.Unlock()
	if current != nil && l.hasTerminal() {
		current.resized(size)
	}
}

// hasTerminal says that commands have a terminal on the target.
func (l *lineShell) hasTerminal() bool {
	granted := l.granted()
	return l.terminal != nil && granted != nil && (granted.Terminal || granted.Unrestricted)
}

// execute judges and runs a line.
func (l *lineShell) execute(ctx context.Context, text string) (int, error) {
	action := l.readCommand(text, l.hasTerminal())
	if action.Kind != argv.KindExec {
		action = policy.Action{Kind: argv.KindExec, Unknown: "it speaks with a program of the client's: run that, outside of this shell", SSH: action.SSH}
	}
	wanted, cancel := context.WithCancel(ctx)
	defer cancel()
	l.keyboard.OnInterrupt(cancel)
	defer l.keyboard.OnInterrupt(nil)
	admission, err := l.admit(action, text, &session.Hold{Cancelled: wanted.Done(), Tell: func(message string) error {
		l.shell.Print("sallyport: " + clean(message))
		return context.Cause(l.ctx)
	}})
	if err != nil {
		words, ok := usable(err)
		if !ok {
			return refusedStatus, err
		}
		l.shell.Print("sallyport: " + clean(words))
		if errors.Is(err, session.ErrWithdrawn) {
			return cancelledStatus, nil
		}
		return refusedStatus, nil
	}
	if wanted.Err() != nil {
		l.result(admission.Operation, "", 0, session.ErrWithdrawn)
		return cancelledStatus, nil
	}
	return l.command(ctx, wanted, text, admission.Operation), nil
}

// command runs a line that was granted, and returns its exit status. It is wanted until
// it is interrupted before it runs.
func (l *lineShell) command(ctx, wanted context.Context, text string, operation int64) int {
	target, requests, err := l.channel(text)
	if err != nil {
		l.result(operation, "", 0, err)
		l.shell.Print("sallyport: " + clean(err.Error()))
		return refusedStatus
	}
	r := newRun(l.sessionChannel, target, requests, program{kind: argv.KindExec, operation: operation, counted: true})
	l.mu.Lock()
	l.current = r
	if l.terminal != nil {
		r.sized(l.size.Columns, l.size.Rows)
	}
	l.mu.Unlock()
	status := l.relay(ctx, wanted, r)
	l.mu.Lock()
	l.current = nil
	l.mu.Unlock()
	_ = target.Close()
	return status
}

// channel opens one on the target, and asks for the line there, after what the client
// was granted before its shell.
func (l *lineShell) channel(text string) (ssh.Channel, <-chan *ssh.Request, error) {
	target, requests, err := l.up.Client.OpenChannel("session", nil)
	if err != nil {
		return nil, nil, errors.New("the target opens no session")
	}
	for _, before := range l.deferred {
		payload := before.payload
		if before.name == "pty-req" {
			if !l.hasTerminal() {
				continue
			}
			l.mu.Lock()
			terminal := *l.terminal
			terminal.Columns, terminal.Rows, terminal.Width, terminal.Height = l.size.Columns, l.size.Rows, l.size.Width, l.size.Height
			l.mu.Unlock()
			payload = ssh.Marshal(&terminal)
		}
		_, _ = target.SendRequest(before.name, true, payload)
	}
	if ok, err := target.SendRequest("exec", true, ssh.Marshal(&execRequest{text})); err != nil || !ok {
		_ = target.Close()
		l.channels.Go(func() { ssh.DiscardRequests(requests) })
		return nil, nil, errors.New("the target refuses to run it")
	}
	return target, requests, nil
}

// relay hands on between the client and a command, to its end.
func (l *lineShell) relay(ctx, wanted context.Context, r *run) int {
	ended := context.AfterFunc(ctx, func() { r.kill("HUP") })
	defer ended()
	defer r.noteRun(r)()
	var stdout, stderr io.Writer = r.client, writerFunc(r.writeStderr)
	if l.terminal != nil && !l.hasTerminal() {
		stdout, stderr = returning{stdout}, returning{stderr}
	}
	out := r.outlet(stdout)
	input, requests, outputs := goroutines{caught: l.caught}, goroutines{caught: l.caught}, goroutines{caught: l.caught}
	typed := l.keyboard.Input()
	input.Go(func() { l.feed(r, out, typed) })
	settled := l.interruptible(wanted, r)

	status := -1
	requests.Go(func() { status = l.serveCommand(r) })
	var failed error
	outputs.Go(func() { failed = r.relayOutput(r.outlet(stderr), r.target.Stderr()) })
	err := r.relayOutput(out, r.target)
	outputs.Wait()
	if err = errors.Join(err, failed); err != nil {
		r.broken(err)
		r.closeTarget()
	}
	requests.Wait()
	settled()
	_ = typed.Close()
	r.closeTarget()
	input.Wait()

	tag := "closed"
	if r.tag != "" {
		tag = r.tag
	}
	result := record.Result{Operation: r.operation, Tag: tag, Bytes: r.out.Load(), Masked: r.masked}
	if err := r.session.Result(ctx, result); err != nil {
		r.end(err)
	}
	if status < 0 {
		return cancelledStatus
	}
	return status
}

// interruptible has Ctrl-C end a command that has no terminal to do it; one that has
// gets it as typed. What it returns is called when the command has ended.
func (l *lineShell) interruptible(wanted context.Context, r *run) (settled func()) {
	var late *time.Timer
	interrupt := sync.OnceFunc(func() {
		_, _ = r.target.SendRequest("signal", false, ssh.Marshal(&signalRequest{"INT"}))
		late = time.AfterFunc(afterInterrupt, func() { r.kill("KILL") })
	})
	if l.hasTerminal() {
		l.keyboard.OnInterrupt(nil)
	} else {
		l.keyboard.OnInterrupt(interrupt)
	}
	if wanted.Err() != nil {
		interrupt()
	}
	return func() {
		l.keyboard.OnInterrupt(nil)
		if late != nil {
			late.Stop()
		}
	}
}

// feed hands on what is typed. Without a terminal on the target a return ends a line,
// and Ctrl-D the input; without one here, lines are for the shell alone.
func (l *lineShell) feed(r *run, out outlet, typed io.Reader) {
	defer func() { _ = r.target.CloseWrite() }()
	if l.terminal == nil {
		return
	}
	buffer := make([]byte, 4<<10)
	for {
		n, err := typed.Read(buffer)
		if err != nil {
			return
		}
		chunk, last := buffer[:n], false
		if l.hasTerminal() {
			out.Typed(chunk)
		} else {
			chunk, last = cooked(chunk)
		}
		if _, err := r.target.Write(chunk); err != nil || last {
			return
		}
	}
}

// cooked is what a terminal makes of keys.
func cooked(p []byte) (text []byte, last bool) {
	if i := bytes.IndexByte(p, 0x04); i >= 0 {
		p, last = p[:i], true
	}
	return bytes.ReplaceAll(p, []byte("\r"), []byte("\n")), last
}

// serveCommand takes what the target says of a command; its status, or -1.
func (l *lineShell) serveCommand(r *run) int {
	status := -1
	for request := range r.fromTarget {
		switch request.Type {
		case "exit-status":
			var ended exitStatus
			if read(request.Payload, &ended) == nil {
				status = int(ended.Status & 0xff)
				r.ends(fmt.Sprintf("exit %d", status))
			}
		case "exit-signal":
			var ended exitSignal
			if read(request.Payload, &ended) == nil {
				r.ends("signal " + clean(ended.Signal))
				l.shell.Print("signal " + clean(ended.Signal))
			}
		}
		_ = request.Reply(request.Type == keepalive, nil)
	}
	return status
}

// returning gives each line's end the carriage return that a raw terminal needs.
type returning struct{ io.Writer }

func (w returning) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, strings.ReplaceAll(string(p), "\n", "\r\n")); err != nil {
		return 0, err
	}
	return len(p), nil
}
