package postgres

import (
	"crypto/rand"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// forever runs until it is cancelled.
const forever = "SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e"

// awaitRunning waits until the target runs the text.
func awaitRunning(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if running(t, text) {
			return
		}
	}
	t.Fatalf("the target does not run %s", text)
}

func running(t *testing.T, text string) bool {
	t.Helper()
	quoted := strings.ReplaceAll(text, "'", "''")
	return target.QueryString(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '"+quoted+"'") != "0"
}

func TestPG5_ACancelRequestWorksPlainAndOverTLS(t *testing.T) {
	t.Parallel()
	for _, version := range []uint32{wire.Version30, wire.Version32} {
		for _, secured := range []bool{false, true} {
			p := newProxy(t)
			r := p.open(t, version)
			r.untilReady()
			text := forever + " WHERE 'cancel' <> '" + map[bool]string{false: "plain", true: "tls"}[secured] + string(rune('0'+version&3)) + "'"
			r.write(&pgproto3.Query{String: text})
			awaitRunning(t, text)
			request := wire.AppendCancelRequest(nil, wire.BackendKey{ProcessID: r.key.ProcessID, Secret: r.key.SecretKey})
			var err error
			if secured {
				_, err = p.raw(t, alpn).Write(request)
			} else {
				_, err = p.plain(t).Write(request)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := r.untilReady()
			if want := []string{"columns", "ERROR 57014", "ready I"}; len(got) < 2 || got[len(got)-2] != want[1] || got[len(got)-1] != want[2] {
				t.Errorf("version %x, TLS %v: %v", version, secured, got)
			}
			r.write(&pgproto3.Query{String: "SELECT 1"})
			if got := r.untilReady(); got[len(got)-1] != "ready I" || got[1] != "row 1" {
				t.Errorf("after the cancel: %v", got)
			}
		}
	}
}

func TestPG5_AnotherKeyCancelsNothing(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	r, other := p.ready(t), p.ready(t)
	text := forever + " WHERE 5 = 5"
	r.write(&pgproto3.Query{String: text})
	awaitRunning(t, text)
	guessed := make([]byte, len(r.key.SecretKey))
	_, _ = rand.Read(guessed)
	for _, key := range []wire.BackendKey{
		{ProcessID: r.key.ProcessID, Secret: guessed},
		{ProcessID: r.key.ProcessID, Secret: append(append([]byte(nil), r.key.SecretKey...), 0)},
		{ProcessID: r.key.ProcessID, Secret: other.key.SecretKey},
		{ProcessID: r.key.ProcessID + 1, Secret: r.key.SecretKey},
		{ProcessID: other.key.ProcessID, Secret: other.key.SecretKey},
	} {
		conn := p.plain(t)
		if _, err := conn.Write(wire.AppendCancelRequest(nil, key)); err != nil {
			t.Fatal(err)
		}
		// The proxy closes when it is done with the request.
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("a cancel request was answered")
		}
	}
	if !running(t, text) {
		t.Error("the statement was cancelled")
	}
	_ = r.conn.Close()
	for end := time.Now().Add(patience); running(t, text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the target still runs the statement of a client that has gone")
		}
	}
}

func TestPG5_CtrlCInPsqlCancelsTheStatement(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	text := forever + " WHERE 6 = 6"
	command := exec.Command("psql", "-X", "-d", p.dsn(), "-c", text)
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var problems strings.Builder
	command.Stderr = &problems
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRunning(t, text)
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if !strings.Contains(problems.String(), "canceling statement due to user request") {
		t.Error(problems.String())
	}
}

func TestPG5_CancellingWhileWaitingWithdraws(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{waiting: true})
	r := p.open(t, wire.Version30)
	r.until("notice")
	if _, err := p.plain(t).Write(wire.AppendCancelRequest(nil, wire.BackendKey{ProcessID: r.key.ProcessID, Secret: r.key.SecretKey})); err != nil {
		t.Fatal(err)
	}
	if got := r.next(); got != "FATAL 57014" {
		t.Error(got)
	}
}

func TestPG5_TheRegistryForgetsSessionsAndIsBounded(t *testing.T) {
	t.Parallel()
	var r registry
	var places []*place
	for i := range uint32(maxSessions) {
		p, err := r.add(wire.BackendKey{ProcessID: i})
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, p)
	}
	if _, err := r.add(wire.BackendKey{ProcessID: maxSessions}); err == nil {
		t.Error("one session too many was taken")
	}
	for _, p := range places {
		p.leave()
	}
	if len(r.places) != 0 {
		t.Error(len(r.places), "are left")
	}
}
