package foreground

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
)

func TestTheProgramsExitCodeBecomesOurs(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143} {
		streams, _, _, _ := genericiooptions.NewTestIOStreams()
		err := Run(streams, "/bin/sh", "-c", script)
		if got := kube.ExitCode(err); got != want {
			t.Errorf("%s: exit code %d, want %d (%v)", script, got, want, err)
		}
		if exit, ok := errors.AsType[*kube.ExitError](err); ok && kube.Message(exit) != "" {
			t.Errorf("%s: we say %q, and the program has said it", script, kube.Message(exit))
		}
	}
}

func TestTheProgramHasOurStreams(t *testing.T) {
	t.Parallel()
	streams, in, out, errOut := genericiooptions.NewTestIOStreams()
	in.WriteString("hello")
	if err := Run(streams, "/bin/sh", "-c", "cat; echo oops >&2"); err != nil || out.String() != "hello" || errOut.String() != "oops\n" {
		t.Errorf("%q, %q, %v", out, errOut, err)
	}
}

func TestAProgramThatIsNotThereIsNamedWithoutItsPath(t *testing.T) {
	t.Parallel()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	if err := Run(streams, "/nowhere/psql"); err == nil || !strings.HasPrefix(err.Error(), "start psql: ") {
		t.Error(err)
	}
}

// Not parallel: the signal is sent to the whole process.
func TestASignalThatNoTerminalSentIsPassedOn(t *testing.T) {
	near, far := io.Pipe()
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: far, ErrOut: io.Discard}
	ended := make(chan error, 1)
	go func() {
		ended <- Run(streams, "/bin/sh", "-c", `trap 'exit 9' HUP; echo ready; while :; do sleep 0.05; done`)
		_ = far.Close()
	}()
	lines := bufio.NewReader(near)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Error(err)
	}
	if err := <-ended; kube.ExitCode(err) != 9 {
		t.Errorf("exit code %d, want 9: %v", kube.ExitCode(err), err)
	}
}
