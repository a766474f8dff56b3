package ssh

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
)

// goldenScript shows what a terminal session is made of: colours, a bar that grows, bold by
// overstriking, a title, another screen; and in all of it values that are to be masked.
const goldenScript = `
printf 'customer  mail              card\n'
printf 'ada       ada@example.com   4111 1111 1111 1111\n'
printf 'grace     \033[01;31m\033[Kgrace@example.org\033[m\033[K 4111-1111-\033[1m1111\033[0m-1111\n'
for n in 10 50 100; do printf '\r[%3d%%]' $n; sleep 0.05; done; printf '\n'
printf 'b\bbo\bol\bld\bd a\bad\bda\ba@\b@e\bex\bxa\bam\bmp\bpl\ble\be.\b.i\bio\bo\n'
printf '\033]0;ada@example.com: report\007'
printf '\033[?1049h\033[2J\033[3;5Hmail: ada@example.com\033[4;5Hpress a key\033[?1049l'
printf 'in two: eve@exa'; sleep 0.2; printf 'mple.net\n'
printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\n'
stty size
`

// The recording of a real shell on a real server, masked, is these very bytes; that a
// replay shows them is internal/cli/replay's test, of the same file.
func TestARealTerminalSessionIsRecordedByteForByteAfterMasking(t *testing.T) {
	t.Parallel()
	policy := granting(v1alpha1.SSHGrant{Shell: v1alpha1.ShellRecorded})
	policy.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{
		{Name: "mail", Detect: v1alpha1.DetectEmail},
		{Name: "card", Detect: v1alpha1.DetectPaymentCard, Mask: v1alpha1.Mask{How: v1alpha1.MaskPartial, KeepLast: 4}},
		{Name: "key", Detect: v1alpha1.DetectPrivateKey},
	}}
	b := granted(t, policy)
	script := filepath.Join(target.server.Home("deploy"), "report.sh")
	if err := os.WriteFile(script, []byte(goldenScript), 0o644); err != nil {
		t.Fatal(err)
	}
	p := b.person(t)
	at := p.screen.await(t, 0, "$ ")
	p.types(t, "exec env -i TERM=xterm PATH=/usr/bin:/bin PS1='$ ' dash -i\r")
	at = p.screen.await(t, at, "dash -i")
	at = p.screen.await(t, at, "$ ")
	p.types(t, "echo begin\r")
	at = p.screen.await(t, at, "\r\nbegin\r\n$ ")
	p.types(t, "sh report.sh\r")
	at = p.screen.await(t, at, "24 80\r\n$ ")
	if err := p.WindowChange(30, 100); err != nil {
		t.Fatal(err)
	}
	// Input may overtake a new size: they come by different ways.
	await(t, "the new size", func() bool {
		return slices.ContainsFunc(b.events(t), func(e record.Event) bool { return e.Type == record.EventTerminal && e.Terminal.Rows == 30 })
	})
	p.types(t, "stty size\r")
	p.screen.await(t, at, "30 100\r\n$ ")
	p.types(t, "exit\r")
	_ = p.Wait()

	var recorded bytes.Buffer
	await(t, "the result", func() bool {
		recorded.Reset()
		ended := false
		for _, event := range b.events(t) {
			if event.Type == record.EventTerminal && event.Terminal.Kind == "output" {
				recorded.Write(event.Terminal.Data)
			}
			ended = ended || event.Result != nil
		}
		return ended
	})
	const begin = "\r\nbegin\r\n"
	_, got, _ := strings.Cut(recorded.String(), begin)
	if _, seen, _ := strings.Cut(p.screen.String(), begin); seen != got {
		t.Errorf("the recording and the client differ (-client +recording):\n%s", cmp.Diff(seen, got))
	}
	const golden = "testdata/terminal.golden"
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
