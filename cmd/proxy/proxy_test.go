package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
	"github.com/sallyport/sallyport/proxy/standalone"
)

// asProxy makes the test binary be the proxy.
const asProxy = "SALLYPORT_TEST_AS_PROXY"

func TestMain(m *testing.M) {
	if os.Getenv(asProxy) == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// trial is a real proxy process in front of a real PostgreSQL.
type trial struct {
	target             *pgtest.Server
	directory, address string
	key                sessiontest.Key
	process            *exec.Cmd
	exited             chan error
}

// try starts one whose task lasts so long.
func try(t *testing.T, lasting time.Duration) *trial {
	t.Helper()
	target := pgtest.Start(t, pgtest.Options{})
	for _, statement := range []string{
		`CREATE ROLE sp_task LOGIN PASSWORD 'of this test'`,
		`CREATE DATABASE orders`,
	} {
		target.Exec(t, "postgres", statement)
	}
	target.Exec(t, "orders", `CREATE TABLE orders (id int PRIMARY KEY, item text);
		INSERT INTO orders VALUES (1, 'lamp'), (2, 'chair'); GRANT SELECT ON orders TO sp_task`)

	tr := &trial{target: target, directory: t.TempDir(), key: sessiontest.NewKey(t, sessiontest.Requester), exited: make(chan error, 1)}
	state := sessiontest.Granted(sessiontest.ReadOrders(), &grant.PostgresUpstream{
		Host: "localhost", Addresses: []string{target.Host}, Port: int32(target.Port),
		TLSMode: v1alpha1.PostgresTLSVerifyFull, CABundle: string(target.CAPEM),
		Database: "orders", User: "sp_task", Password: "of this test",
	})(tr.key)
	state.Grant.Deadline = time.Now().Add(lasting)
	tr.write(t, "grant.yaml", grantFile(t, state))
	tr.writeKey(t, "client", tr.key)
	tr.start(t)
	return tr
}

func grantFile(t *testing.T, state grant.State) []byte {
	t.Helper()
	content, err := yaml.Marshal(standalone.File{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (tr *trial) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(tr.directory, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (tr *trial) writeKey(t *testing.T, name string, key sessiontest.Key) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(key.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	tr.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	tr.write(t, name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate.Certificate[0]}))
}

func (tr *trial) start(t *testing.T) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tr.process = exec.Command(executable, "--grant-file", filepath.Join(tr.directory, "grant.yaml"),
		"--listen", "127.0.0.1:0", "--recording-dir", tr.directory)
	tr.process.Env = append(os.Environ(), asProxy+"=1")
	stderr, err := tr.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.process.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "Listening" {
				address <- line.Address
			}
			t.Log(lines.Text())
		}
		tr.exited <- tr.process.Wait()
	}()
	t.Cleanup(func() { tr.stop(t) })
	select {
	case tr.address = <-address:
	case err := <-tr.exited:
		t.Fatal("the proxy did not start:", err)
	}
}

// stop asks the proxy to stop, and waits.
func (tr *trial) stop(t *testing.T) {
	if tr.process.Process.Signal(syscall.SIGTERM) != nil {
		return
	}
	select {
	case err := <-tr.exited:
		if err != nil {
			t.Error("the proxy stopped with", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the proxy does not stop")
		_ = tr.process.Process.Kill()
		<-tr.exited
	}
}

// psql is a client with the key of that name.
func (tr *trial) psql(ctx context.Context, key string, arguments ...string) *exec.Cmd {
	host, port, _ := strings.Cut(tr.address, ":")
	command := exec.CommandContext(ctx, "psql", append([]string{"-X", "-At", "-h", host, "-p", port, "-U", "bob", "-d", "orders"}, arguments...)...)
	command.Env = append(os.Environ(),
		"PGSSLMODE=verify-full", "PGSSLROOTCERT="+filepath.Join(tr.directory, "server-ca.crt"),
		"PGSSLCERT="+filepath.Join(tr.directory, key+".crt"), "PGSSLKEY="+filepath.Join(tr.directory, key+".key"),
		"PGCONNECT_TIMEOUT=10")
	return command
}

// recordings are their events so far; whole says that each has its end.
func (tr *trial) recordings(t *testing.T) (events []record.Event, whole bool) {
	t.Helper()
	from := store.FS(os.DirFS(tr.directory))
	sessions, err := from.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole = true
	for _, session := range sessions {
		reader, err := record.Open(t.Context(), from, session, record.ReadOptions{})
		for err == nil {
			var event record.Event
			if event, err = reader.Next(); err == nil {
				events = append(events, event)
			}
		}
		if _, unfinished := errors.AsType[*record.IncompleteError](err); unfinished {
			whole = false
		} else if !errors.Is(err, io.EOF) {
			t.Errorf("recording %s: %v", session, err)
		}
	}
	return events, whole
}

func TestPsqlReadsIsRefusedAndIsRecorded(t *testing.T) {
	t.Parallel()
	tr := try(t, time.Hour)
	command := tr.psql(t.Context(), "client")
	command.Stdin = strings.NewReader(`
		SELECT item FROM orders WHERE id = 1;
		DROP TABLE orders;
		DELETE FROM orders;
		SELECT current_user;
		SELECT count(*) FROM orders;
	`)
	var out, told bytes.Buffer
	command.Stdout, command.Stderr = &out, &told
	if err := command.Run(); err != nil {
		t.Fatalf("%v: %s", err, told.String())
	}
	if got := out.String(); got != "lamp\nsp_task\n2\n" {
		t.Errorf("psql read %q, was told %s", got, told.String())
	}
	for _, word := range []string{"orders-read", "grant"} {
		if strings.Count(told.String(), word) < 2 {
			t.Errorf("the refusals do not name %q: %s", word, told.String())
		}
	}
	tr.stop(t)

	verdicts := []string{}
	events, whole := tr.recordings(t)
	if !whole {
		t.Error("a recording has no end")
	}
	for _, event := range events {
		if event.Verdict != nil {
			verdicts = append(verdicts, event.Verdict.Effect)
		}
	}
	if got := strings.Join(verdicts, " "); got != "Allow Deny Deny Allow Allow" {
		t.Errorf("recorded verdicts: %s", got)
	}
}

func TestREC1_AfterKill9EveryOperationThatReachedTheTargetIsRecorded(t *testing.T) {
	t.Parallel()
	tr := try(t, time.Hour)
	command := tr.psql(t.Context(), "client")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "SELECT item FROM orders WHERE id = 2;\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || got != "chair\n" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := tr.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-tr.exited
	if err := errors.Join(stdin.Close(), ignoreExit(command.Wait())); err != nil {
		t.Error(err)
	}
	events, whole := tr.recordings(t)
	if whole {
		t.Error("the recording of a process that was killed is said to be whole")
	}
	if !slices.ContainsFunc(events, func(event record.Event) bool {
		return event.Operation != nil && event.Operation.Text == "SELECT item FROM orders WHERE id = 2;" &&
			event.Verdict != nil && event.Verdict.Effect == "Allow"
	}) {
		t.Errorf("%+v", events)
	}
}

func TestSSH1_PsqlWithAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	tr := try(t, time.Hour)
	tr.writeKey(t, "mallory", sessiontest.NewKey(t, "bob"))
	for _, key := range []string{"mallory", "absent"} {
		out, err := tr.psql(t.Context(), key, "-w", "-c", "SELECT 1").CombinedOutput()
		if err == nil {
			t.Errorf("%s: %s", key, out)
		}
	}
	if events, _ := tr.recordings(t); len(events) != 0 {
		t.Errorf("%+v", events)
	}
}

func TestLIFE1_TheDeadlineEndsAnIdlePsqlAndRefusesTheNext(t *testing.T) {
	t.Parallel()
	tr := try(t, 4*time.Second)
	deadline := time.Now().Add(4 * time.Second)
	command := tr.psql(t.Context(), "client")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "BEGIN; SELECT count(*) FROM orders;\n"); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(stdout)
	for _, want := range []string{"BEGIN\n", "2\n"} {
		if got, err := answers.ReadString('\n'); err != nil || got != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	tr.awaitEnd(t)
	if late := time.Since(deadline); late > time.Second {
		t.Errorf("the session ended %v after the deadline", late)
	}
	const backends = `SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'sp_task'`
	gomega.NewWithT(t).Eventually(func() string { return tr.target.QueryString(t, "postgres", backends) }, "10s", "10ms").
		Should(gomega.Equal("0"), "backends of the task are left on the target")
	if err := errors.Join(stdin.Close(), ignoreExit(command.Wait())); err != nil {
		t.Error(err)
	}
	out, err := tr.psql(t.Context(), "client", "-c", "SELECT 1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the task is over") {
		t.Errorf("after the end: %v, %s", err, out)
	}
}

// awaitEnd waits until the one recording has its end.
func (tr *trial) awaitEnd(t *testing.T) {
	t.Helper()
	gomega.NewWithT(t).Eventually(func() bool {
		events, _ := tr.recordings(t)
		return slices.ContainsFunc(events, func(event record.Event) bool { return event.End != nil })
	}, "20s", "10ms").Should(gomega.BeTrue(), "the session does not end")
}

func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}
