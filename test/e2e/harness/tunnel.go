package harness

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// Tunnel is an open `kubectl access connect`.
type Tunnel struct {
	// Conninfo is the connection string that it printed, Address its local end.
	Conninfo, Address string
	user              *User
}

var port = regexp.MustCompile(`\bport=(\d+)`)

// Tunnel opens one, which stays until the end of the test.
func (k *Task) Tunnel(t testing.TB) *Tunnel {
	t.Helper()
	running := k.Requester.start(t, "access", "connect", k.Name, "-n", k.Domain.Namespace)
	conninfo, _ := running.Out.Await(t, 0, "\n", Patience)
	found := port.FindStringSubmatch(conninfo)
	if found == nil {
		t.Fatalf("no port in %q", conninfo)
	}
	return &Tunnel{Conninfo: strings.TrimSpace(conninfo), Address: "127.0.0.1:" + found[1], user: k.Requester}
}

// Copy runs a COPY TO STDOUT through the tunnel, until its end or the test's, by a
// client that keeps nothing back: psql's last buffer leaves it when it exits.
func (u *Tunnel) Copy(t testing.TB, statement string) *Stream {
	t.Helper()
	// pgx knows no hostaddr.
	config, err := pgconn.ParseConfig(notOfPgx.ReplaceAllString(u.Conninfo, ""))
	if err != nil {
		t.Fatal(err)
	}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	s := &Stream{Err: newTranscript(), begun: make(chan struct{}), exited: make(chan struct{})}
	go func() {
		defer close(s.exited)
		if _, err := conn.CopyTo(ctx, s, statement); err != nil {
			fmt.Fprintln(s.Err, err)
		}
		_ = conn.Close(ctx)
	}()
	t.Cleanup(func() { cancel(); <-s.exited })
	return s
}

var notOfPgx = regexp.MustCompile(`\b(hostaddr|connect_timeout)=\S+`)

// Psql runs one statement through the tunnel with psql itself. Of a parameter that
// stands twice in a connection string the last one counts: change overrides.
func (u *Tunnel) Psql(t testing.TB, password, change, statement string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var out, failure strings.Builder
	command := exec.CommandContext(ctx, "psql", append(quietly, "--no-password", "--command", statement, u.Conninfo+" "+change)...)
	command.Env = append(u.user.command(ctx).Env, "PGPASSWORD="+password)
	if password == "" {
		command.Env = u.user.command(ctx).Env
	}
	command.Stdout, command.Stderr = &out, &failure
	err := command.Run()
	exit := &exec.ExitError{}
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(fmt.Errorf("psql: %w", err))
	}
	return Result{Out: out.String(), Err: failure.String(), Code: command.ProcessState.ExitCode()}
}
