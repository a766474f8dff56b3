package postgres

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
)

func TestPG10_CtrlCInPsqlWithdraws(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "psql", "-X", "-At", "-d", p.dsn(), "-c", "UPDATE payments SET amount = 1 WHERE id = 30")
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	held := p.Reviewers.Next(t)
	// psql is in its query once the client has been told of the review.
	for !wasTold(p, held.Review) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	held.AwaitWithdrawn(t)
	// Its exit code is not what is looked at.
	_ = command.Wait()
	if !strings.Contains(said.String(), "canceling statement due to user request") {
		t.Error(said.String())
	}
	if got := amount(t, "30"); got != "10" {
		t.Error(got)
	}
}

// wasTold says whether the client has been told of the review.
func wasTold(p *proxy, review string) bool {
	events, err := p.Recordings.Events("")
	if err != nil {
		return false
	}
	for _, event := range events {
		if event.Type == record.EventNotice && strings.Contains(event.Notice, review) {
			return true
		}
	}
	return false
}

// What is shown to psql when nobody approves a COMMIT is what PostgreSQL shows of one
// that fails, and the session goes on.
func TestPsqlGoesOnAfterADeniedCommit(t *testing.T) {
	t.Parallel()
	p := gated(t)
	go func() { p.Reviewers.Next(t).Deny("use the batch job") }()
	out, problems, code := p.psql(t, p.dsn(), "-c", "BEGIN", "-c", "UPDATE payments SET amount = 2 WHERE id = 31",
		"-c", "COMMIT", "-c", "SELECT amount FROM payments WHERE id = 31")
	if code != 0 || out != "BEGIN\nUPDATE 1\n10\n" || !strings.Contains(problems, "use the batch job") {
		t.Errorf("%d: %s %s", code, out, problems)
	}
}
