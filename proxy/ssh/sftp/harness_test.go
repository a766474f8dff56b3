package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	pkgsftp "github.com/pkg/sftp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

const server = "/usr/lib/openssh/sftp-server"

// door is a Gate whose grants a test names.
type door struct {
	mu         sync.Mutex
	grants     map[string]string // pattern to the first letters of accesses: "RWD"
	most       int64             // of a file
	total      int64             // of a session, in each direction
	keep       int64
	hold       func(Operation)
	operations []Operation
	files      []record.File
	results    []record.Result
	streamed   map[int64]int64
	sums       []string
	content    []byte
	moved      map[Direction]int64
}

// asks are the operations that need no grant.
var asks = []string{"sftp stat", "sftp lstat", "sftp realpath", "sftp statvfs", "sftp home-directory", "sftp users-groups-by-id", "sftp expand-path"}

func (d *door) Admit(_ context.Context, o Operation) (Admission, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.operations = append(d.operations, o)
	n := int64(len(d.operations))
	if o.Unknown != "" {
		return Admission{}, &Refused{o.Unknown}
	}
	for _, f := range o.Files {
		if !d.granted(f, slices.Contains(asks, o.Kind)) {
			return Admission{}, &Refused{fmt.Sprintf("sallyport: refused by policy: %s on %s", f.Access, f.Path)}
		}
	}
	if d.hold != nil && o.Kind == "sftp remove" {
		d.hold(o)
		return Admission{Operation: n, Held: true}, nil
	}
	return Admission{Operation: n}, nil
}

func (d *door) granted(f policy.FileUse, ask bool) bool {
	for pattern, access := range d.grants {
		if policy.MatchPath(pattern, f.Path) && (ask || strings.Contains(access, string(f.Access)[:1])) {
			return true
		}
	}
	return false
}

func (d *door) MaxBytes(string, v1alpha1.FileAccess) int64 { return d.most }
func (d *door) KeepBytes() int64                           { return d.keep }

func (d *door) Move(direction Direction, n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moved == nil {
		d.moved = map[Direction]int64{}
	}
	if d.moved[direction]+n > d.total && d.total > 0 {
		return &Refused{"sallyport: too much in one session"}
	}
	d.moved[direction] += n
	return nil
}

func (d *door) Stream(operation, n int64, sum string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.streamed == nil {
		d.streamed = map[int64]int64{}
	}
	d.streamed[operation] += n
	d.sums = append(d.sums, sum)
	return nil
}

func (d *door) Content(_ int64, p []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.content = append(d.content, p...)
	return nil
}

func (d *door) File(f record.File) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = append(d.files, f)
	return nil
}

func (d *door) Result(r record.Result) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.results = append(d.results, r)
	return nil
}

// file is the newest event of that kind.
func (d *door) file(op string) (record.File, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range slices.Backward(d.files) {
		if f.Op == op {
			return f, true
		}
	}
	return record.File{}, false
}

// pair is two ends of a stream that has buffers, as a channel of SSH has.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a, err = net.DialUnix("unix", nil, listener.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	b, err = listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// openssh starts OpenSSH's sftp-server, in a folder.
func openssh(t testing.TB, folder string) io.ReadWriteCloser {
	t.Helper()
	if _, err := os.Stat(server); err != nil {
		if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
			t.Skip(err)
		}
		t.Fatalf("%v: run hack/setup.sh, which installs OpenSSH", err)
	}
	ours, theirs := pair(t)
	f, err := theirs.File()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(server, "-d", folder)
	command.Stdin, command.Stdout = f, f
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	_ = theirs.Close()
	t.Cleanup(func() { _ = ours.Close(); _ = command.Wait() })
	return ours
}

// serve is a relay in front of a target; what the test gets is the client's end.
func serve(t testing.TB, d *door, target io.ReadWriteCloser) *net.UnixConn {
	t.Helper()
	client, inner := pair(t)
	relay := New(context.Background(), Config{Client: inner, Target: target, Gate: d, CloseTarget: func() error {
		if half, ok := target.(*net.UnixConn); ok {
			return half.CloseWrite()
		}
		return nil
	}})
	var served sync.WaitGroup
	served.Go(func() {
		if err := relay.ServeClient(); err != nil {
			t.Logf("client's half: %v", err)
			_ = target.Close()
		}
	})
	served.Go(func() {
		if err := relay.ServeTarget(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Logf("target's half: %v", err)
		}
		_ = inner.Close()
	})
	t.Cleanup(func() {
		_ = client.Close()
		served.Wait()
	})
	return client
}

// dial is pkg/sftp's client behind a relay, and the folder that it may use.
func dial(t testing.TB, d *door) (*pkgsftp.Client, string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d.grants == nil {
		d.grants = map[string]string{root + "/granted/**": "RWD"}
	}
	if err := os.Mkdir(root+"/granted", 0o755); err != nil {
		t.Fatal(err)
	}
	conn := serve(t, d, openssh(t, root))
	client, err := pkgsftp.NewClientPipe(conn, conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, root
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(c *pkgsftp.Client, path string) (string, error) {
	f, err := c.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}
