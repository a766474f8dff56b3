// Package recording holds the proof of REC-1: whatever befalls a proxy, its disk or its
// store, every statement that the target ran is in the recording that survives. The
// target's own statement log is the oracle.
package recording

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/nstest"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/proxy/keeper"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

const (
	requestUID   = sessiontest.RequestUID
	taskRole     = "sp_task"
	taskPassword = "of these tests"
	// patience is the keepers'; a session must end within it, and bound more.
	patience = 1500 * time.Millisecond
	bound    = 5 * time.Second
)

var (
	target *pgtest.Server
	shared error
)

func TestMain(m *testing.M) {
	if encoded := os.Getenv(childEnv); encoded != "" {
		if err := runChild(encoded); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	target, shared = pgtest.Run(pgtest.Options{NoTLS: true, Conf: []string{
		"log_statement = all", "log_line_prefix = '%u@%d '", "max_connections = 200",
	}})
	if shared == nil {
		defer target.Close()
		shared = errors.Join(
			target.Execute("postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", taskRole, taskPassword)),
			target.Execute("postgres", "CREATE DATABASE orders"),
			target.Execute("orders", "CREATE TABLE orders (id int, item text); GRANT SELECT, INSERT, UPDATE ON orders TO "+taskRole))
	}
	code := m.Run()
	if gatewayUsed.Load() {
		if server, err := gateway(); err == nil {
			server.Close()
		}
	}
	return code
}

func needTarget(t testing.TB) {
	t.Helper()
	if errors.Is(shared, pgtest.ErrMissing) && os.Getenv(pgtest.AllowMissing) == "1" {
		t.Skip(shared)
	}
	if shared != nil {
		t.Fatal(shared)
	}
}

// proxy is a proxy process, and what is to be known of it.
type proxy struct {
	setup
	// mark is in every statement of this test, and of no other.
	mark    string
	process *exec.Cmd
	address string
	exited  chan struct{}

	mu   sync.Mutex
	said []told
	// news is closed when it says something more.
	news chan struct{}
}

var marks atomic.Int64

// newSetup is a proxy that records to a volume.
func newSetup(t *testing.T, how grant.Recording) setup {
	t.Helper()
	needTarget(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spec := sessiontest.ReadOrders()
	spec.Grant.Postgres.Relations[0].Privileges = []v1alpha1.RelationPrivilege{
		v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert, v1alpha1.PrivilegeUpdate,
	}
	spec.Recording.Durability = how.Durability
	state := sessiontest.Granted(spec, &grant.PostgresUpstream{
		Host: target.Host, Addresses: []string{target.Host}, Port: int32(target.Port),
		TLSMode: v1alpha1.PostgresTLSDisable, Database: "orders", User: taskRole, Password: taskPassword,
	})(sessiontest.Key{})
	state.Recording = how
	folder := t.TempDir()
	s := setup{
		State: state, Parent: folder, Directory: filepath.Join(folder, "recordings"), Spool: filepath.Join(folder, "spool"),
		Key: key, Patience: patience,
	}
	for _, made := range []string{s.Directory, s.Spool} {
		if err := os.Mkdir(made, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func start(t *testing.T, s setup) *proxy {
	t.Helper()
	p := &proxy{setup: s, mark: fmt.Sprintf("rec1_%d_", marks.Add(1)), exited: make(chan struct{}), news: make(chan struct{})}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	p.process = exec.Command("/proc/self/exe")
	p.process.Env = append(os.Environ(), childEnv+"="+string(encoded))
	p.process.Stderr = os.Stderr
	p.process.SysProcAttr = &syscall.SysProcAttr{}
	if s.MountBytes > 0 {
		p.process.SysProcAttr = nstest.Apart()
	}
	out, err := p.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.process.Start(); err != nil {
		if s.MountBytes > 0 {
			err = nstest.Explain(err)
		}
		nstest.Need(t, err)
	}
	address := make(chan string, 1)
	go func() {
		defer close(p.exited)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line told
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				continue
			}
			if line.Address != "" {
				address <- line.Address
			}
			p.mu.Lock()
			p.said = append(p.said, line)
			close(p.news)
			p.news = make(chan struct{})
			p.mu.Unlock()
		}
		_ = p.process.Wait()
	}()
	t.Cleanup(func() { p.kill() })
	select {
	case p.address = <-address:
	case <-p.exited:
		if line, ok := p.heard(func(line told) bool { return line.Missing != "" }); ok {
			nstest.Need(t, fmt.Errorf("%w: %s", nstest.ErrMissing, line.Missing))
		}
		t.Fatal("the proxy did not start")
	case <-time.After(20 * time.Second):
		t.Fatal("the proxy does not start")
	}
	return p
}

func (p *proxy) kill() {
	_ = p.process.Process.Kill()
	<-p.exited
}

// heard says whether the proxy has told something.
func (p *proxy) heard(what func(told) bool) (told, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.said {
		if what(line) {
			return line, true
		}
	}
	return told{}, false
}

func (p *proxy) await(t *testing.T, within time.Duration, what string, held func(told) bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		news := p.news
		p.mu.Unlock()
		if _, ok := p.heard(held); ok {
			return
		}
		select {
		case <-news:
		case <-deadline.C:
			t.Errorf("within %v: %s", within, what)
			return
		}
	}
}

func (p *proxy) connect(ctx context.Context, t *testing.T) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(fmt.Sprintf("postgres://bob:%s@%s/orders?sslmode=disable", strings.ReplaceAll(token, " ", "%20"), p.address))
	if err != nil {
		t.Fatal(err)
	}
	return pgx.ConnectConfig(ctx, config)
}

// idle is a session that does nothing, if it may begin: it must end with the others.
func (p *proxy) idle(t *testing.T) {
	t.Helper()
	if conn, err := p.connect(t.Context(), t); err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
}

// work runs statements of several kinds until the session ends, or there are n. It
// returns how many were answered, and how long the last took.
func (p *proxy) work(t *testing.T, n int) (answered int, last time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begun := time.Now()
	conn, err := p.connect(ctx, t)
	if err != nil {
		return 0, time.Since(begun), err
	}
	defer func() { _ = conn.Close(ctx) }()
	for ; answered < n; answered++ {
		begun = time.Now()
		if err := p.step(ctx, conn, answered); err != nil {
			return answered, time.Since(begun), err
		}
	}
	return answered, time.Since(begun), nil
}

// step is one statement, or a pipeline of several.
func (p *proxy) step(ctx context.Context, conn *pgx.Conn, number int) error {
	text := func(part string) string {
		return fmt.Sprintf("/* %s%d%s */ ", p.mark, number, part)
	}
	switch number % 5 {
	case 0:
		_, err := conn.Exec(ctx, text("q")+"SELECT count(*) FROM orders", pgx.QueryExecModeSimpleProtocol)
		return err
	case 1:
		_, err := conn.Exec(ctx, text("x")+"INSERT INTO orders VALUES ($1, $2)", number, strings.Repeat("item ", 60))
		return err
	case 2:
		batch := &pgx.Batch{}
		for _, part := range []string{"a", "b", "c"} {
			batch.Queue(text(part)+"SELECT id FROM orders WHERE id = $1", number)
		}
		return conn.SendBatch(ctx, batch).Close()
	case 3:
		_, err := conn.Exec(ctx, text("m")+"UPDATE orders SET item = 'x' WHERE id = -1; "+text("n")+"SELECT 1", pgx.QueryExecModeSimpleProtocol)
		return err
	}
	_, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(strings.Repeat("1\tcopied\n", 100)), text("c")+"COPY orders FROM STDIN")
	return err
}

var (
	// ran is a line of the target's log that says what the task's login ran.
	ran = regexp.MustCompile(`(?m)^` + taskRole + `@orders LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)$`)
	// ours is what the proxy asks for itself.
	ours   = regexp.MustCompile(`pg_catalog\.|^(?:BEGIN|COMMIT|ROLLBACK|SET)`)
	marked = regexp.MustCompile(`rec1_\d+_\d+[a-z]`)
)

// ran is the marks of what the target has run of this proxy's.
func (p *proxy) ran(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, match := range ran.FindAllStringSubmatch(target.Log(), -1) {
		marks := marked.FindAllString(match[1], -1)
		if len(marks) == 0 && !ours.MatchString(match[1]) {
			t.Errorf("the target ran a statement that is neither a client's nor known as the proxy's: %s", match[1])
		}
		for _, mark := range marks {
			if strings.HasPrefix(mark, p.mark) {
				found[mark] = true
			}
		}
	}
	return found
}

// recorded is the marks of what recordings hold as allowed.
func recorded(t *testing.T, from store.Reader) map[string]bool {
	t.Helper()
	sessions, err := from.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, id := range sessions {
		reader, err := record.Open(t.Context(), from, id, record.ReadOptions{Identities: []age.Identity{identity(t)}})
		for err == nil {
			var event record.Event
			if event, err = reader.Next(); err != nil {
				break
			}
			if event.Operation != nil && event.Verdict != nil && event.Verdict.Effect == string(v1alpha1.EffectAllow) {
				for _, mark := range marked.FindAllString(string(event.Operation.Text), -1) {
					found[mark] = true
				}
			}
		}
		if corrupt, ok := errors.AsType[*record.CorruptError](err); ok {
			t.Errorf("session %s: %v", id, corrupt)
		}
	}
	return found
}

// nothingRanUnrecorded is REC-1.
func (p *proxy) nothingRanUnrecorded(t *testing.T, from store.Reader) {
	t.Helper()
	holds := recorded(t, from)
	ran := p.ran(t)
	for mark := range ran {
		if !holds[mark] {
			t.Errorf("the target ran %s, and the recording does not hold it", mark)
		}
	}
	t.Logf("%d ran, %d are recorded", len(ran), len(holds))
}

// takeUp is the next process of the task: it stores what this one has left.
func (p *proxy) takeUp(t *testing.T) {
	t.Helper()
	again := p.setup
	again.Point = ""
	options := again.keeper(&order{})
	options.Log = logr.Discard()
	k := keeper.New(options)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := errors.Join(k.Start(p.State.Recording), k.Flush(ctx, 10*time.Second, 10*time.Second), k.Close(ctx)); err != nil {
		t.Errorf("what was left is not taken up: %v", err)
	}
}

// reader is of the store alone, the spool apart.
func (p *proxy) reader(t *testing.T) store.Reader {
	t.Helper()
	if p.Bucket == nil {
		return store.FS(os.DirFS(p.Directory))
	}
	task, err := p.Bucket.open()
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// signed verifies every recording, and that the manager's signatures reach to its end.
func (p *proxy) signed(t *testing.T) {
	t.Helper()
	from := p.reader(t)
	sessions, err := from.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range sessions {
		summary, err := record.Verify(t.Context(), from, id, record.Expectation{
			Session: id, RequestUID: requestUID, Keys: []ed25519.PublicKey{p.Key.Public().(ed25519.PublicKey)},
		})
		if _, unfinished := errors.AsType[*record.IncompleteError](err); err != nil && !unfinished {
			t.Errorf("session %s: %v", id, err)
		}
		if summary.Segments == 0 || summary.Unsigned != 0 {
			t.Errorf("session %s: %+v", id, summary)
		}
	}
}
