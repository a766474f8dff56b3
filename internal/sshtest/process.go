package sshtest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a child with one goroutine that owns it.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// prepare runs in a mount namespace of its own, and puts the server's accounts over
// the machine's. /run and /var/log become empty: logins write utmp and wtmp there.
const prepare = `set -e
for file in passwd group shadow nsswitch.conf; do mount --bind "$1/etc/$file" "/etc/$file"; done
mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd
mount -t tmpfs tmpfs /var/log
mount -t proc proc /proc
exec "$2" -D -e -f "$1/sshd_config"
`

// launch runs sshd as the first process of a PID namespace: it takes all sessions
// with it. It dies with its parent thread (Pdeathsig), so the goroutine keeps its
// thread: a test that panics leaves no server behind.
func (s *Server) launch() (*process, error) {
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", prepare, "sshd", s.root, s.program)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS, Cloneflags: syscall.CLONE_NEWPID,
		Setsid: true, Pdeathsig: syscall.SIGKILL,
	}
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

// stop kills the namespace: the kernel ends whoever is in it before the parent hears
// of its first process.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.done
}
