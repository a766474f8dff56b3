package e2e

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestAClientWithoutTheRequestsKeyIsRefused(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	tunnel := task.Tunnel(t)
	for name, test := range map[string]struct {
		change   []string
		password string
		says     string
	}{
		"no certificate, a wrong password": {[]string{"sslcert=none", "sslkey=none"}, "guessed", "FATAL"},
		"no certificate, no password":      {[]string{"sslcert=none", "sslkey=none"}, "", "no password supplied"},
		"plaintext":                        {[]string{"sslmode=disable"}, "guessed", "TLS only"},
		"another database":                 {[]string{"dbname=postgres"}, "", "the grant is not for database"},
		"replication":                      {[]string{"replication=database"}, "", `start-up parameter "replication" is not allowed`},
		"the target's role":                {[]string{"options=-crole=postgres"}, "", `start-up parameter "options" is not allowed`},
	} {
		result := tunnel.Psql(t, test.password, strings.Join(test.change, " "), "SELECT current_user")
		if result.Code == 0 || result.Out != "" || !strings.Contains(result.Err, test.says) {
			t.Errorf("%s: does not say %q: %+v", name, test.says, result)
		}
	}
	if result := tunnel.Psql(t, "", "", "SELECT current_user"); strings.TrimSpace(result.Out) != task.Role(t) {
		t.Errorf("the request's own key: %+v", result)
	}
}

func TestPG5_CtrlCCancelsTheStatementThroughTheTunnelAndARandomKeyCancelsNothing(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	role := task.Role(t)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT 1;", "1")
	psql.Send(t, endless)
	running := func() int {
		return len(d.Postgres.Query(t, "SELECT pid::text FROM pg_stat_activity WHERE usename = $1 AND state = 'active'", role))
	}
	harness.Eventually(t, harness.Patience, "a running statement", func() (bool, string) { return running() == 1, "none" })

	cancelAtRandom(t, task.Tunnel(t).Address)
	// What a cancel would take at most is measured below.
	time.Sleep(500 * time.Millisecond)
	if running() != 1 {
		t.Error("a random key cancelled the statement")
	}

	pressed := time.Now()
	psql.Signal(t, syscall.SIGINT)
	harness.Eventually(t, harness.Patience, "no running statement", func() (bool, string) { return running() == 0, "one" })
	harness.Within(t, "the statement ended after Ctrl-C", time.Since(pressed), harness.Soon)
	psql.Err.Await(t, 0, "canceling statement due to user request", harness.Patience)
}

// cancelAtRandom sends a CancelRequest (protocol 55.2.8) for a session that it knows
// nothing of.
func cancelAtRandom(t *testing.T, address string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, harness.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := binary.BigEndian.AppendUint32(nil, 16)
	request = binary.BigEndian.AppendUint32(request, 80877102)
	request = append(request, make([]byte, 8)...)
	_, _ = rand.Read(request[8:])
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(harness.Patience))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error(fmt.Sprint("a cancel was answered: ", n, " bytes"))
	}
}
