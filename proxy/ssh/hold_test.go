package ssh

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
)

// holding are rules that hold what this expression says.
func holding(when string) []v1alpha1.Rule {
	return []v1alpha1.Rule{{Name: "held", When: when, Effect: v1alpha1.EffectHold}}
}

// A link's name says nothing: reviewers see where it leads, within what the API stores.
func TestReviewersAreShownWhereAProgramsPathsLead(t *testing.T) {
	t.Parallel()
	root := folder(t)
	long := root + "/granted/" + strings.Repeat("n", 250)
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(root + "/granted/now")
	if err := os.Symlink(long, root+"/granted/now"); err != nil {
		t.Fatal(err)
	}
	p := filesBelow(root+"/granted", all...)
	p.Rules = holding(`action.kind == "rsync download"`)
	b := granted(t, p)
	for times, more := range map[int]string{1: "", 20: "5 more warnings"} {
		s := newSession(t, b.connect(t))
		s.Stdin = bytes.NewReader(nil)
		done := make(chan error, 1)
		go func() {
			done <- s.Run("rsync --server --sender -re.iLsfxCIvu ." + strings.Repeat(" "+root+"/granted/now/", times))
		}()
		held := b.Reviewers.Next(t)
		warnings := held.Operation.Warnings
		if want := "on the target: Read " + long + "/**"; len(warnings) == 0 || len(warnings) > 16 || warnings[0] != want {
			t.Errorf("reviewers see %q", warnings)
		}
		if more != "" && !slices.Contains(warnings, more) {
			t.Errorf("of %d paths reviewers see %q", times, warnings)
		}
		held.Deny("not now")
		<-done
	}
}

// What a review cannot show whole is refused, in words, before anybody is asked.
func TestACommandThatIsTooLongForAReviewIsRefusedInWords(t *testing.T) {
	t.Parallel()
	p := unrestricted()
	p.Rules = holding(`action.kind == "exec"`)
	b := granted(t, p)
	client := b.connect(t)
	s := newSession(t, client)
	var said bytes.Buffer
	s.Stderr = &said
	if err := s.Run("echo " + strings.Repeat("x", control.MaxHeldText)); !isStatus(err, refusedStatus) || !strings.Contains(said.String(), "a review shows at most 16384") {
		t.Errorf("%v: %q", err, said.String())
	}
	b.Reviewers.None(t)
	// The most that fits, in characters of several bytes, and in bytes that are no text.
	for _, text := range []string{"echo " + strings.Repeat("x", control.MaxHeldText-5), "echo " + strings.Repeat("é", 8000), "echo \xff\xfe"} {
		s, done := newSession(t, client), make(chan error, 1)
		go func() { done <- s.Run(text) }()
		held := b.Reviewers.Next(t)
		encoded, err := control.EncodeHeld(held.Operation)
		if err != nil {
			t.Fatal(err)
		}
		if shown, err := control.DecodeHeld(encoded); err != nil || utf8.RuneCountInString(shown.Text) > control.MaxHeldText {
			t.Errorf("%.20q cannot be put before reviewers: %v", text, err)
		}
		held.Deny("not now")
		if err := <-done; !isStatus(err, refusedStatus) {
			t.Errorf("%.20q ended with %v", text, err)
		}
	}
}

func TestAShellThatWasHeldHasItsTerminalsLastSize(t *testing.T) {
	t.Parallel()
	p := granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRecorded})
	p.Rules = holding(`action.kind == "shell"`)
	b := granted(t, p)
	s := newSession(t, b.connect(t))
	shown := &screen{}
	s.Stdout = shown
	keys, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Shell() }()
	held := b.Reviewers.Next(t)
	// As a window that is drawn larger with the mouse.
	for i := range 3 * maxQueued {
		if err := s.WindowChange(30+i, 80); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.WindowChange(50, 132); err != nil {
		t.Fatal(err)
	}
	held.Approve()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if ok, err := s.SendRequest(keepalive, true, nil); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := keys.Write([]byte("stty size\r")); err != nil {
		t.Fatal(err)
	}
	shown.await(t, 0, "50 132")
}

// closing is a channel that can be closed, and nothing else.
type closing struct {
	ssh.Channel
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestRequestsBehindOneThatIsHeldKeepTheirOrderAndHaveABound(t *testing.T) {
	t.Parallel()
	client := &closing{}
	s := &sessionChannel{client: client}
	for _, request := range []*ssh.Request{
		{Type: keepalive}, {Type: keepalive, WantReply: true}, {Type: "signal"}, {Type: "window-change"}, {Type: "window-change"},
		{Type: "window-change", WantReply: true}, {Type: "env", WantReply: true},
	} {
		if !s.queue(request) {
			t.Errorf("%s is too much", request.Type)
		}
	}
	var kept []string
	for _, request := range s.queued {
		kept = append(kept, request.Type)
	}
	if got := strings.Join(kept, " "); got != keepalive+" signal window-change window-change env" {
		t.Error("there wait", got)
	}
	for s.queue(&ssh.Request{Type: "env", WantReply: true}) {
		if len(s.queued) > maxQueued {
			t.Fatal("without bound")
		}
	}
	if !client.closed {
		t.Error("the channel of a client that asks too much is open")
	}
}
