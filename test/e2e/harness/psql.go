package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Psql is a running psql whose user types one statement after another.
type Psql struct {
	Out, Err *Transcript

	command *exec.Cmd
	input   io.WriteCloser
	exited  chan struct{}
	ended   time.Time
	asked   int
	outAt   int
	errAt   int
}

// quietly prints bare values, one row a line.
var quietly = []string{"--no-psqlrc", "--quiet", "--no-align", "--tuples-only"}

// Psql starts `kubectl access psql` for a task, which stays until Quit or the end of
// the test.
func (k *Task) Psql(t testing.TB, arguments ...string) *Psql {
	t.Helper()
	args := append([]string{"access", "psql", k.Name, "-n", k.Domain.Namespace, "--"}, quietly...)
	return k.Requester.start(t, append(args, arguments...)...)
}

// start runs kubectl in the background.
func (u *User) start(t testing.TB, args ...string) *Psql {
	t.Helper()
	return run(t, u.command(context.WithoutCancel(t.Context()), args...))
}

func run(t testing.TB, command *exec.Cmd) *Psql {
	t.Helper()
	p := &Psql{Out: newTranscript(), Err: newTranscript(), command: command, exited: make(chan struct{})}
	command.Stdout, command.Stderr = p.Out, p.Err
	var err error
	if p.input, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = command.Wait()
		p.ended = time.Now()
	}()
	t.Cleanup(func() {
		_ = p.input.Close()
		end(command, p.exited)
	})
	return p
}

// end waits for a command to leave by itself, and then makes it.
func end(command *exec.Cmd, exited <-chan struct{}) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-exited:
			return
		case <-time.After(2 * time.Second):
			_ = command.Process.Signal(signal)
		}
	}
	<-exited
}

// Answer is what psql printed about one statement.
type Answer struct{ Out, Err string }

// Do has psql run a statement, and waits for its answer.
func (p *Psql) Do(t testing.TB, statement string) Answer {
	t.Helper()
	p.Send(t, statement)
	return p.Answer(t)
}

// Send types a statement, and waits for nothing. It is ended by a marker in both
// outputs, for Answer.
func (p *Psql) Send(t testing.TB, statement string) {
	t.Helper()
	p.asked++
	if _, err := fmt.Fprintf(p.input, "%s\n\\echo %s\n\\warn %s\n", statement, p.marker(), p.marker()); err != nil {
		t.Fatalf("psql has left: %v: %s%s", err, p.Out, p.Err)
	}
}

func (p *Psql) marker() string { return fmt.Sprintf("-- answered %d", p.asked) }

// Answer waits for the answer to what was sent last.
func (p *Psql) Answer(t testing.TB) Answer {
	t.Helper()
	var a Answer
	a.Out, p.outAt = p.Out.Await(t, p.outAt, p.marker()+"\n", Patience)
	a.Err, p.errAt = p.Err.Await(t, p.errAt, p.marker()+"\n", Patience)
	a.Out, a.Err = strings.TrimSpace(a.Out), strings.TrimSpace(a.Err)
	return a
}

// Reads checks that a statement answers this.
func (p *Psql) Reads(t testing.TB, statement, want string) {
	t.Helper()
	if a := p.Do(t, statement); a.Out != want || strings.Contains(a.Err, "ERROR") {
		t.Errorf("%s: %q, want %q; errors: %s", statement, a.Out, want, a.Err)
	}
}

// Refuses checks that a statement is refused with an ERROR that says each of these.
func (p *Psql) Refuses(t testing.TB, statement string, words ...string) {
	t.Helper()
	a := p.Do(t, statement)
	for _, word := range append(words, "ERROR:") {
		if !strings.Contains(a.Err, word) {
			t.Errorf("%s: does not say %q: %s%s", statement, word, a.Out, a.Err)
		}
	}
	if a.Out != "" {
		t.Errorf("%s: printed %q", statement, a.Out)
	}
}

// Exit waits until psql has ended, and returns when and how.
func (p *Psql) Exit(t testing.TB, patience time.Duration) (time.Time, int) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("psql runs on after %v: %s%s", patience, p.Out, p.Err)
	case <-t.Context().Done():
		t.Fatal("interrupted while psql ran")
	}
	return p.ended, p.command.ProcessState.ExitCode()
}

// Running says that psql has not ended.
func (p *Psql) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the plugin, as a terminal's driver or a script would.
func (p *Psql) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// FirstByte is when psql first printed something that it was asked for.
func (p *Psql) FirstByte() time.Time {
	p.Out.mu.Lock()
	defer p.Out.mu.Unlock()
	return p.Out.first
}
