package ssh

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// screen is what a client's terminal was sent.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await returns once the screen has text after from, and where that ends.
func (s *screen) await(t *testing.T, from int, text string) int {
	t.Helper()
	end := 0
	defer func() {
		if t.Failed() {
			t.Logf("the screen has %q", s.String())
		}
	}()
	await(t, fmt.Sprintf("%q on the screen", text), func() bool {
		shown := s.String()
		i := strings.Index(shown[min(from, len(shown)):], text)
		end = from + i + len(text)
		return i >= 0
	})
	return end
}

// person is a client at a shell with a terminal.
type person struct {
	*ssh.Session
	keys   io.Writer
	screen *screen
}

func (b *bench) person(t *testing.T) *person {
	t.Helper()
	s, err := b.connect(t).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	p := &person{Session: s, screen: &screen{}}
	s.Stdout, s.Stderr = p.screen, p.screen
	if p.keys, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *person) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(p.keys, keys); err != nil {
		t.Fatal(err)
	}
}

func words(commands ...string) (grants []v1alpha1.CommandGrant) {
	for _, c := range commands {
		grants = append(grants, v1alpha1.CommandGrant{Argv: strings.Fields(c)})
	}
	return grants
}

const prompt = "deploy@127.0.0.1> "

func TestARestrictedShellJudgesEachLine(t *testing.T) {
	t.Parallel()
	b := granted(t, granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRestricted, Terminal: true,
		Commands: words("echo *", "stty size", "sh -c *", "cat")}))
	p := b.person(t)
	at := p.screen.await(t, 0, prompt)

	p.types(t, "echo hello\r")
	at = p.screen.await(t, at, "\nhello\r\n")
	at = p.screen.await(t, at, prompt)
	p.types(t, "id\r")
	at = p.screen.await(t, at, "sallyport: ")
	at = p.screen.await(t, at, prompt)
	p.types(t, "echo $HOME\r")
	at = p.screen.await(t, at, "sallyport: ")
	at = p.screen.await(t, at, prompt)

	if err := p.WindowChange(40, 132); err != nil {
		t.Fatal(err)
	}
	// The editor draws its prompt anew.
	at = p.screen.await(t, at, prompt)
	p.types(t, "stty size\r")
	at = p.screen.await(t, at, "40 132\r\n")
	at = p.screen.await(t, at, prompt)

	p.types(t, "sh -c 'exit 3'\r")
	at = p.screen.await(t, at, "exit 3\r\n")
	at = p.screen.await(t, at, prompt)
	// Ctrl-C at the prompt takes the line back; at a command it ends it.
	p.types(t, "id\x03")
	at = p.screen.await(t, at, prompt)
	p.types(t, "cat\r")
	p.types(t, "into cat\r")
	at = p.screen.await(t, at, "into cat\r\ninto cat\r\n")
	p.types(t, "\x03")
	at = p.screen.await(t, at, prompt)
	p.types(t, "help\r")
	at = p.screen.await(t, at, "stty size\r\n")
	// Completion, and the end.
	p.types(t, "st\t\r")
	at = p.screen.await(t, at, "40 132")
	p.screen.await(t, at, prompt)
	p.types(t, "\x04")
	if err := p.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if kind, effect := b.verdict(t, "echo hello"); kind != "exec" || effect != "Allow" {
		t.Errorf("the granted line is %s, %s", kind, effect)
	}
	if kind, effect := b.verdict(t, "echo $HOME"); kind != "exec" || effect != "Deny" {
		t.Errorf("the opaque line is %s, %s", kind, effect)
	}
}

func TestARestrictedShellTakesLinesWithoutATerminal(t *testing.T) {
	t.Parallel()
	b := granted(t, granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRestricted, Commands: words("echo *", "cat")}))
	s, err := b.connect(t).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out screen
	s.Stdout, s.Stderr = &out, &out
	s.Stdin = strings.NewReader("echo one\ncat\nrm x\n\necho two\nexit 7\necho three\n")
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	err = s.Wait()
	if ended, ok := err.(*ssh.ExitError); !ok || ended.ExitStatus() != 7 { //nolint:errorlint // package ssh returns it as it is
		t.Errorf("it ends with %v", err)
	}
	shown := out.String()
	if !strings.HasPrefix(shown, "one\nsallyport: ") || !strings.HasSuffix(shown, "\ntwo\n") || strings.Count(shown, "\n") != 3 {
		t.Errorf("it shows %q", shown)
	}
}

func TestALineOfARestrictedShellIsHeldAndMayBeWithdrawn(t *testing.T) {
	t.Parallel()
	policy := sessiontest.Holding(granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRestricted, Commands: words("echo *")}), v1alpha1.EffectHold)
	for i := range policy.Rules {
		policy.Rules[i].When = `action.kind == "exec"`
	}
	b := granted(t, policy)
	p := b.person(t)
	at := p.screen.await(t, 0, prompt)
	p.types(t, "echo held\r")
	at = p.screen.await(t, at, "sallyport: ")
	b.Reviewers.Next(t)
	p.types(t, "\x03")
	at = p.screen.await(t, at, prompt)
	p.types(t, "echo approved\r")
	b.Reviewers.Next(t).Approve()
	at = p.screen.await(t, at, "\napproved\r\n")
	p.screen.await(t, at, prompt)
}

func TestACommandWithoutATerminalIsInterrupted(t *testing.T) {
	t.Parallel()
	b := granted(t, granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRestricted, Commands: words("sleep *", "cat", "echo **")}))
	p := b.person(t)
	at := p.screen.await(t, 0, prompt)
	p.types(t, "cat\r")
	p.types(t, "typed\r\x04")
	at = p.screen.await(t, at, "\ntyped\r\n")
	at = p.screen.await(t, at, prompt)
	p.types(t, "sleep 3600\r")
	await(t, "the command", func() bool { _, effect := b.verdict(t, "sleep"); return effect == "Allow" })
	p.types(t, "\x03")
	at = p.screen.await(t, at, prompt)
	p.types(t, "echo still here\r")
	p.screen.await(t, at, "\nstill here\r\n")
}

func TestATerminalIsMaskedForTheClientAndTheRecording(t *testing.T) {
	t.Parallel()
	policy := granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRecorded})
	policy.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "mail", Detect: v1alpha1.DetectEmail}}}
	b := granted(t, policy)
	p := b.person(t)
	p.screen.await(t, 0, "$ ")
	p.types(t, "stty -echo; PS1='$ '; echo ready\r")
	p.screen.await(t, 0, "\nready\r\n$ ")
	p.types(t, "printf 'ada@'; sleep 0.2; printf 'example'; printf '.com\\n'\r")
	at := p.screen.await(t, 0, "[redacted]\r\n$ ")
	p.types(t, "printf 'ada@\\033[1mexample.com\\033[0m\\n'\r")
	p.screen.await(t, at, "[redacted]\x1b[1m\x1b[0m\r\n$ ")
	p.types(t, "exit\r")
	_ = p.Wait()
	if strings.Contains(p.screen.String(), "example") {
		t.Errorf("the client saw %q", p.screen.String())
	}
	var recorded bytes.Buffer
	masked := int64(0)
	await(t, "the result", func() bool {
		recorded.Reset()
		for _, event := range b.events(t) {
			if event.Type == record.EventTerminal && event.Terminal.Kind == "output" {
				recorded.Write(event.Terminal.Data)
			}
			if event.Result != nil {
				masked = event.Result.Masked["detector mail"]
			}
		}
		return masked == 2
	})
	if strings.Contains(recorded.String(), "example") || !strings.Contains(recorded.String(), "[redacted]") {
		t.Errorf("the recording has %q", recorded.String())
	}
}
