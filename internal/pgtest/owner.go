package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// owner is whom servers run as, and whom their files belong to: ourselves, or
// postgres when we are root.
type owner struct {
	credential *syscall.Credential
}

func newOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return &owner{}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w (root cannot run PostgreSQL, and there is no user postgres)", ErrMissing)
	}
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	return &owner{credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// tempDir makes a directory that the owner can reach; TMPDIR may be root's alone.
func (o *owner) tempDir() (string, error) {
	base := os.TempDir()
	if o.credential != nil {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "sallyport-pg-")
	if err != nil {
		return "", err
	}
	return dir, o.chown(dir)
}

func (o *owner) chown(path string) error {
	if o.credential == nil {
		return nil
	}
	return os.Lchown(path, int(o.credential.Uid), int(o.credential.Gid))
}

func (o *owner) writeFile(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return o.chown(path)
}

// process is a child with one goroutine that owns it.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program as the owner. The child dies with its parent thread
// (Pdeathsig), so the goroutine keeps its thread: a test that panics leaves no
// server behind.
func (o *owner) start(program, logFile string, arguments ...string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, arguments...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(logFile)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: o.credential, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		defer func() { _ = log.Close() }()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return p, <-started
}

// stop asks for a fast shutdown, then an immediate one, then none.
func (p *process) stop() error {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.cmd.Process.Signal(signal); errors.Is(err, os.ErrProcessDone) {
			break
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(15 * time.Second):
		}
	}
	<-p.done
	return nil
}
