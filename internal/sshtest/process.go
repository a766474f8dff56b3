package sshtest

import (
	"os/exec"
	"strings"
	"syscall"
)

// prepare runs in a mount namespace of its own, and puts the server's accounts over
// the machine's. /run and /var/log become empty: logins write utmp and wtmp there.
const prepare = `set -e
for file in passwd group shadow nsswitch.conf; do mount --bind "$1/etc/$file" "/etc/$file"; done
mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd
mount -t tmpfs tmpfs /var/log
mount -t proc proc /proc
exec "$2" -D -e -f "$1/sshd_config"
`

// command runs sshd as the first process of a PID namespace: when it is killed, the kernel
// ends whoever is in it before the parent hears of that.
func (s *Server) command() *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", prepare, "sshd", s.root, s.program)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Cloneflags: syscall.CLONE_NEWPID, Setsid: true}
	return cmd
}

// ready waits until sshd says in its log that it listens: to ask it would be a connection
// that tests count.
func (s *Server) ready(log string) bool {
	return strings.Contains(log, "Server listening on "+s.Host)
}
