// Package foreground runs a client program on the plugin's own terminal.
package foreground

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
)

// Run runs a program to its end, and passes signals on to it. Its exit code becomes
// ours: a *kube.ExitError without a message, for the program has said what was wrong.
func Run(streams genericiooptions.IOStreams, program string, arguments ...string) error {
	command := exec.Command(program, arguments...)
	command.Stdin, command.Stdout, command.Stderr = streams.In, streams.Out, streams.ErrOut
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	for {
		select {
		case s := <-signals:
			// A terminal has sent Ctrl-C and Ctrl-\ to the program as well as to us.
			if !interactive(streams.In) || s != syscall.SIGINT && s != syscall.SIGQUIT {
				_ = command.Process.Signal(s)
			}
		case err := <-exited:
			return exitError(err)
		}
	}
}

func interactive(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func exitError(err error) error {
	exit := &exec.ExitError{}
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &kube.ExitError{Code: 128 + int(status.Signal())}
	}
	return &kube.ExitError{Code: exit.ExitCode()}
}
