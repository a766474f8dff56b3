package supervise

import (
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"net"
)

// client serves a table as Run does, in this process, and reaps its children.
func client(t *testing.T) (*Client, string) {
	t.Helper()
	processes := &table{entries: map[string]*entry{}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			processes.reap()
		}
	}()
	socket := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(processes.handler())
	server.Listener = listener
	server.Start()
	t.Cleanup(func() {
		for _, p := range processes.list() {
			_, _ = processes.stop(t.Context(), p.Name)
		}
		server.Close()
		signal.Stop(children)
		close(children)
	})
	return NewClient(socket), filepath.Join(t.TempDir(), "log")
}

func await(t *testing.T, c *Client, name string, want State) Status {
	t.Helper()
	var last Status
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		s, found, err := c.Find(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if last = s; found && s.State == want {
			return s
		}
	}
	t.Fatalf("%s is %q, want %q", name, last.State, want)
	return last
}

func TestAProcessIsStoppedAndStartedAgain(t *testing.T) {
	c, log := client(t)
	first, err := c.Start(t.Context(), Spec{Name: "sleeper", Args: []string{"/bin/sleep", "60"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := c.Start(t.Context(), Spec{Name: "sleeper", Args: []string{"/bin/sleep", "60"}, Log: log}); err != nil || second.PID != first.PID {
		t.Errorf("started twice: %v, %v", second, err)
	}
	if stopped, err := c.Stop(t.Context(), "sleeper"); err != nil || stopped.State != Stopped || stopped.End != "signal terminated" {
		t.Errorf("stop: %+v, %v", stopped, err)
	}
	if again, err := c.Again(t.Context(), "sleeper"); err != nil || again.State != Running || again.PID == first.PID {
		t.Errorf("again: %+v, %v", again, err)
	}
}

func TestAProcessThatEndsByItselfSaysHow(t *testing.T) {
	c, log := client(t)
	if _, err := c.Start(t.Context(), Spec{Name: "failure", Args: []string{"/bin/sh", "-c", "echo why; exit 3"}, Log: log}); err != nil {
		t.Fatal(err)
	}
	if s := await(t, c, "failure", Exited); s.End != "exit status 3" {
		t.Errorf("end: %q", s.End)
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != "why\n" {
		t.Errorf("log: %q, %v", text, err)
	}
}

func TestAnUnknownProcessIsNamed(t *testing.T) {
	c, _ := client(t)
	if _, err := c.Stop(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "nobody: no such process") {
		t.Errorf("got %v", err)
	}
}
