package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Tools are OpenSSH's programs, and those that run over ssh, of somebody at a machine of
// their own, with an ssh_config that knows one host.
type Tools struct {
	// Host is the server's name in that configuration.
	Host string
	// Home is where they run.
	Home string

	config string
	user   *User
}

// Tools has the plugin write the requester's ssh_config for the task.
func (k *Task) Tools(t testing.TB) *Tools {
	t.Helper()
	host := Login + "@" + k.Name
	return k.Requester.tools(t, host, k.Requester.Kubectl(t, "access", "ssh-config", k.Name, "-n", k.Domain.Namespace))
}

// Direct are the tools of somebody whom the server lets in by itself: what they see is
// what a task's ought to.
func (s *Server) Direct(t testing.TB, user *User) *Tools {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if output, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, output)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s.list(t, filepath.Join(s.authorizedKeys, Login), string(public))
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	known := key + ".known"
	if err := os.WriteFile(known, fmt.Appendf(nil, "[%s]:%s %s\n", host, port, s.HostKey), 0o600); err != nil {
		t.Fatal(err)
	}
	return user.tools(t, Login+"@direct", fmt.Sprintf(
		"Host direct\n  HostName %s\n  Port %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n", host, port, key, known))
}

func (u *User) tools(t testing.TB, host, config string) *Tools {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, "ssh_config")
	// Nobody is there to be asked.
	if err := os.WriteFile(path, []byte("BatchMode yes\n"+config), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Tools{Host: host, Home: home, config: path, user: u}
}

// Command prepares a program: ssh, scp and sftp are told of the configuration by their
// arguments, git and rsync by their environment.
func (s *Tools) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	switch program {
	case "ssh", "scp", "sftp":
		args = append([]string{"-F", s.config}, args...)
	}
	command := exec.CommandContext(ctx, program, args...)
	command.Dir, command.WaitDelay = s.Home, Patience
	ssh := "ssh -F " + s.config
	command.Env = append(s.user.command(ctx).Env, "GIT_SSH_COMMAND="+ssh, "RSYNC_RSH="+ssh,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=bob", "GIT_AUTHOR_EMAIL=bob@example.org",
		"GIT_COMMITTER_NAME=bob", "GIT_COMMITTER_EMAIL=bob@example.org", "TERM=vt100")
	return command
}

// Run runs a program to its end.
func (s *Tools) Run(t testing.TB, program string, args ...string) Result {
	t.Helper()
	return s.RunWith(t, "", program, args...)
}

// RunWith is Run with this on standard input.
func (s *Tools) RunWith(t testing.TB, input, program string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandPatience)
	defer cancel()
	var out, failure bytes.Buffer
	command := s.Command(ctx, program, args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &failure
	err := command.Run()
	exit := &exec.ExitError{}
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", program, err)
	}
	return Result{Out: out.String(), Err: failure.String(), Code: command.ProcessState.ExitCode()}
}

// Do runs a program, which must succeed, and returns what it printed.
func (s *Tools) Do(t testing.TB, program string, args ...string) string {
	t.Helper()
	result := s.Run(t, program, args...)
	if result.Code != 0 {
		t.Fatalf("%s %s: exit code %d: %s", program, strings.Join(args, " "), result.Code, result)
	}
	return result.Out
}

// Start runs a program in the background, until the end of the test.
func (s *Tools) Start(t testing.TB, program string, args ...string) *Psql {
	t.Helper()
	return run(t, s.Command(context.WithoutCancel(t.Context()), program, args...))
}

// Type types into a running program.
func (p *Psql) Type(t testing.TB, text string) {
	t.Helper()
	if _, err := p.input.Write([]byte(text)); err != nil {
		t.Fatalf("the program has left: %v: %s%s", err, p.Out, p.Err)
	}
}

// Local makes a file of this content at home, and returns its path.
func (s *Tools) Local(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(s.Home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}
