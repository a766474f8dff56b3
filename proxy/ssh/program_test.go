package ssh

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func newSession(t testing.TB, client *ssh.Client) *ssh.Session {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSSH5_ExitStatusAndSignalComeBack(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	client := b.connect(t)
	for command, want := range map[string]struct {
		status int
		signal string
	}{
		"exit 0": {0, ""}, "exit 7": {7, ""}, "exit 255": {255, ""}, "kill -TERM $$": {143, "TERM"}, "kill -KILL $$": {137, "KILL"},
	} {
		err := newSession(t, client).Run(command)
		var exit *ssh.ExitError
		switch {
		case want.status == 0:
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
		case !errors.As(err, &exit) || exit.Signal() != want.signal || exit.ExitStatus() != want.status:
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestSSH5_ASignalReachesTheProgram(t *testing.T) {
	t.Parallel()
	s := newSession(t, granted(t, unrestricted()).connect(t))
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.05; done"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(ssh.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(out)
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 5 || string(said) != "caught\n" {
		t.Errorf("%v: %q", err, said)
	}
}

func TestSSH5_EachDirectionEndsForItself(t *testing.T) {
	t.Parallel()
	client := granted(t, unrestricted()).connect(t)
	// The program reads to the end, then answers.
	s := newSession(t, client)
	s.Stdin = strings.NewReader("to the end")
	out, err := s.Output("wc -c; sleep 0.1; echo done")
	if err != nil || strings.Join(strings.Fields(string(out)), " ") != "10 done" {
		t.Errorf("%q, %v", out, err)
	}
	// The program ends its output, and reads on.
	s = newSession(t, client)
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("exec >&- 2>&-; read line; test \"$line\" = late && exit 9"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(stdout); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if _, err := io.WriteString(in, "late\n"); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 9 {
		t.Error(err)
	}
}

func TestSSH5_OutputAndErrorsStayApart(t *testing.T) {
	t.Parallel()
	s := newSession(t, granted(t, unrestricted()).connect(t))
	var out, stderr bytes.Buffer
	s.Stdout, s.Stderr = &out, &stderr
	if err := s.Run("for i in 1 2 3; do echo out$i; echo err$i >&2; done"); err != nil {
		t.Fatal(err)
	}
	if out.String() != "out1\nout2\nout3\n" || stderr.String() != "err1\nerr2\nerr3\n" {
		t.Errorf("%q, %q", out.String(), stderr.String())
	}
}

func TestSSH5_ATerminalIsResizedAndRecordedAsItShows(t *testing.T) {
	t.Parallel()
	b := granted(t, granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRecorded}))
	s := newSession(t, b.connect(t))
	if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{ssh.ECHO: 0}); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	var mu sync.Mutex
	s.Stdout = writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return shown.Write(p)
	})
	sees := func(words string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Contains(shown.String(), words)
		}
	}
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "stty size\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "the terminal's size", sees("24 80"))
	if err := s.WindowChange(50, 132); err != nil {
		t.Fatal(err)
	}
	// Requests are answered in their order; input has no place in that.
	if done, err := s.SendRequest(keepalive, true, nil); err != nil || !done {
		t.Fatal(done, err)
	}
	if _, err := io.WriteString(in, "stty size; secret=typed-in-secret; exit 4\n"); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 4 || !sees("50 132")() {
		t.Errorf("%v: %q", err, shown.String())
	}
	var recorded bytes.Buffer
	var sizes []string
	for _, event := range b.events(t) {
		if terminal := event.Terminal; terminal != nil && terminal.Kind == "output" {
			recorded.Write(terminal.Data)
		} else if terminal != nil {
			sizes = append(sizes, fmt.Sprintf("%dx%d", terminal.Cols, terminal.Rows))
		}
		if event.Stream != nil {
			t.Error("what was typed is hashed")
		}
	}
	if recorded.String() != shown.String() {
		t.Errorf("shown %q, recorded %q", shown.String(), recorded.String())
	}
	if got := strings.Join(sizes, " "); got != "80x24 132x50" {
		t.Error("sizes recorded:", got)
	}
}

func TestSSH5_ManyChannelsAtOnce(t *testing.T) {
	t.Parallel()
	client := granted(t, unrestricted()).connect(t)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			s, err := client.NewSession()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			s.Stdin = io.LimitReader(zeros{}, 200_000)
			out, err := s.Output(fmt.Sprintf("wc -c; echo %d", i))
			if got := strings.Fields(string(out)); err != nil || len(got) != 2 || got[0] != "200000" || got[1] != fmt.Sprint(i) {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		})
	}
	all.Wait()
}

// counting is a stream of bytes that differ.
type counting struct{ n, state uint64 }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.state = c.state*6364136223846793005 + 1442695040888963407
		p[i] = byte(c.state >> 56)
	}
	c.n += uint64(len(p))
	return len(p), nil
}

func TestSSH5_KeysAreExchangedAnewInALongTransfer(t *testing.T) {
	t.Parallel()
	needTarget(t)
	const size = 96 << 20
	b := serve(t, func(o *Options, _ *session.Options) { o.RekeyThreshold = 1 << 20 })
	b.dialer.RekeyThreshold = 1 << 20
	b.grant(unrestricted())
	s := newSession(t, b.connect(t))
	sent, back := sha256.New(), sha256.New()
	s.Stdin = io.TeeReader(io.LimitReader(&counting{}, size), sent)
	s.Stdout = back
	if err := s.Run("cat"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent.Sum(nil), back.Sum(nil)) {
		t.Error("other bytes came back")
	}
	streamed := int64(0)
	for _, event := range b.events(t) {
		if event.Stream != nil {
			streamed += event.Stream.Bytes
		}
	}
	if streamed != size {
		t.Errorf("%d of %d bytes are recorded", streamed, size)
	}
}

func TestSSH5_AnIdleSessionEndsAndAKeepaliveIsAnswered(t *testing.T) {
	t.Parallel()
	policy := unrestricted()
	policy.Session.IdleSeconds = 1
	b := granted(t, policy)
	client := b.connect(t)
	if done, _, err := client.SendRequest(keepalive, true, nil); err != nil || !done {
		t.Errorf("%t, %v", done, err)
	}
	s := newSession(t, client)
	var stderr bytes.Buffer
	s.Stderr = &stderr
	if err := s.Start("sleep 100"); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err == nil || !strings.Contains(stderr.String(), "idle") {
		t.Errorf("%v: %q", err, stderr.String())
	}
}

func TestLIFE1_AtTheEndEverySessionIsToldWhyAndNoByteFollows(t *testing.T) {
	t.Parallel()
	b := granted(t, unrestricted())
	client := b.connect(t)
	var sessions []*ssh.Session
	var words [3]bytes.Buffer
	for i, command := range []string{"sleep 100", "cat /dev/zero", "cat >/dev/null"} {
		s := newSession(t, client)
		s.Stderr, s.Stdin = &words[i], io.LimitReader(zeros{}, 1<<40)
		s.Stdout = io.Discard
		if err := s.Start(command); err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	began := time.Now()
	b.Update(sessiontest.Ended(b.Key))
	for i, s := range sessions {
		if err := s.Wait(); err == nil || !strings.Contains(words[i].String(), "closed by alice") {
			t.Errorf("%d: %v: %q", i, err, words[i].String())
		}
	}
	if err := client.Wait(); err == nil {
		t.Error("the connection goes on")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
