package restricted

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var granted = []v1alpha1.CommandGrant{
	{Argv: []string{"systemctl", "restart", "orders"}}, {Argv: []string{"systemctl", "status", "*"}},
	{Argv: []string{"tail", "**"}}, {Argv: []string{"uptime"}},
}

// typed runs a shell with a terminal on keys, and returns the lines it executed.
func typed(t *testing.T, keys ...string) (lines []string, out string, status int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		k := NewKeyboard()
		s := New(k, &screen, Config{Prompt: "$ ", Terminal: true, Columns: 80, Rows: 24, Commands: granted,
			Execute: func(_ context.Context, line string) (int, error) {
				lines = append(lines, line)
				return len(lines) - 1, nil
			}})
		done := make(chan struct{})
		go func() {
			defer close(done)
			status, _ = s.Run(t.Context())
		}()
		for _, part := range keys {
			if _, err := k.Write([]byte(part)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		k.End()
		<-done
		out = screen.String()
	})
	return lines, out, status
}

func TestLinesAreExecutedOneByOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys  []string
		lines []string
	}{
		"in pieces":                   {[]string{"up", "time", "\r"}, []string{"uptime"}},
		"several at once":             {[]string{"one\rtwo\nthree\r\n\r\nfour\r"}, []string{"one", "two", "three", "four"}},
		"taken back by Ctrl-C":        {[]string{"rm -rf x\x03uptime\r"}, []string{"uptime"}},
		"taken back before Enter":     {[]string{"rm x\x03\r"}, nil},
		"edited":                      {[]string{"upptime\x1b[D\x1b[D\x1b[D\x1b[D\x7f\r"}, []string{"uptime"}},
		"from history":                {[]string{"one\r", "two\r", "\x1b[A\x1b[A\r"}, []string{"one", "two", "one"}},
		"not after the end":           {[]string{"one\r", "\x04"}, []string{"one"}},
		"completed whole":             {[]string{"up\t\r"}, []string{"uptime"}},
		"completed as far as agreed":  {[]string{"sys\t", "st\t", "x\r"}, []string{"systemctl status x"}},
		"completed to the first open": {[]string{"ta\tfile\r"}, []string{"tail file"}},
		"nothing to complete":         {[]string{"zz\t\r"}, []string{"zz"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, out, _ := typed(t, c.keys...)
			if diff := cmp.Diff(c.lines, lines); diff != "" {
				t.Errorf("-want +got:\n%s\nscreen %q", diff, out)
			}
		})
	}
}

func TestExitLeavesWithItsStatusOrTheLast(t *testing.T) {
	t.Parallel()
	if lines, _, status := typed(t, "a\rb\rexit\rc\r"); status != 1 || len(lines) != 2 {
		t.Errorf("%q, status %d", lines, status)
	}
	if _, _, status := typed(t, "exit 42\r"); status != 42 {
		t.Errorf("status %d", status)
	}
	if lines, out, _ := typed(t, "help\r"); len(lines) > 0 || !strings.Contains(out, "systemctl status *\r\n") {
		t.Errorf("%q shows %q", lines, out)
	}
	if _, out, _ := typed(t, "a\rb\r"); !strings.Contains(out, "exit 1\r\n") || strings.Contains(out, "exit 0") {
		t.Errorf("it shows %q", out)
	}
}

func TestALineHasABound(t *testing.T) {
	t.Parallel()
	lines, _, _ := typed(t, strings.Repeat("a", 10000)+"\r")
	if len(lines) != 1 || len(lines[0]) > longestLine {
		t.Errorf("%d lines", len(lines))
	}
	var out bytes.Buffer
	k := NewKeyboard()
	_, _ = k.Write([]byte(strings.Repeat("a", 10000)))
	s := New(k, &out, Config{Execute: func(context.Context, string) (int, error) {
		t.Error("a line without bound is executed")
		return 0, nil
	}})
	if status, err := s.Run(t.Context()); status != 2 || err != nil || !strings.Contains(out.String(), "too long") {
		t.Errorf("%d, %v, %q", status, err, out.String())
	}
}

func TestACommandReadsWhatIsTypedWhileItRunsAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var read, lines []string
	k := NewKeyboard()
	s := New(k, &out, Config{Terminal: true, Columns: 80, Rows: 24, Execute: func(_ context.Context, line string) (int, error) {
		lines = append(lines, line)
		if line == "read" {
			in := k.Input()
			p := make([]byte, 5)
			n, err := in.Read(p)
			read = append(read, string(p[:n]))
			_ = in.Close()
			if _, late := in.Read(p); !errors.Is(late, io.EOF) {
				t.Error("it reads when it is over")
			}
			return 0, err
		}
		return 0, nil
	}})
	_, _ = k.Write([]byte("read\rinputnext\r"))
	k.End()
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"input"}, {"read", "next"}}, [][]string{read, lines}); diff != "" {
		t.Error(diff)
	}
}

func TestCtrlCInterruptsAndForgetsWhatWasTypedBefore(t *testing.T) {
	t.Parallel()
	k := NewKeyboard()
	interrupted := 0
	k.OnInterrupt(func() { interrupted++ })
	_, _ = k.Write([]byte("before"))
	_, _ = k.Write([]byte("more\x03after"))
	p := make([]byte, 64)
	n, _ := k.Input().Read(p)
	if interrupted != 1 || string(p[:n]) != "after" {
		t.Errorf("interrupted %d times, %q left", interrupted, p[:n])
	}
	k.OnInterrupt(nil)
	_, _ = k.Write([]byte("\x03"))
	if n, _ = k.Input().Read(p); string(p[:n]) != "\x03" {
		t.Errorf("%q is typed", p[:n])
	}
}

func TestTypingAheadIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := NewKeyboard()
		for range mostAhead / 1024 {
			_, _ = k.Write(make([]byte, 1024))
		}
		done := make(chan error)
		go func() { _, err := k.Write([]byte("x")); done <- err }()
		synctest.Wait()
		select {
		case <-done:
			t.Error("it takes without bound")
		default:
		}
		k.End()
		if err := <-done; err == nil {
			t.Error("typing after the end is taken")
		}
	})
}

func TestHelpShowsNoControlSigns(t *testing.T) {
	t.Parallel()
	s := New(NewKeyboard(), io.Discard, Config{Commands: []v1alpha1.CommandGrant{{Argv: []string{"a\x1b[2J"}}}})
	if strings.Contains(s.help(), "\x1b") || len(literals(s.config.Commands)) > 0 {
		t.Errorf("%q", s.help())
	}
}
