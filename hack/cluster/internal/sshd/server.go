// Package sshd runs Debian's OpenSSH server beside the cluster, as the machine that
// somebody wants access to. It has accounts, homes and a /srv of its own.
package sshd

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// Name is the process's name at the supervisor.
const Name = "ssh"

// The machine in the server's namespaces.
//
//go:embed machine.sh
var machine string

// Prepare makes keys, accounts and files, unless they exist, and returns how to start
// the server.
func Prepare(ctx context.Context, c layout.Cluster, r layout.Record) (supervise.Spec, error) {
	program, err := findServer()
	if err != nil {
		return supervise.Spec{}, err
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return supervise.Spec{}, err
	}
	if _, err := os.Stat(InfoPath(c)); errors.Is(err, fs.ErrNotExist) {
		if err := initialise(ctx, c, r); err != nil {
			return supervise.Spec{}, err
		}
	} else if err != nil {
		return supervise.Spec{}, err
	}
	return supervise.Spec{
		Name: Name, Log: c.Log(Name),
		Args: []string{
			// With the server, its first process, goes everything that it has started.
			unshare, "--mount", "--uts", "--pid", "--fork", "--kill-child",
			"/bin/sh", "-c", machine, Name, c.Path("ssh"), program,
		},
		StopSignal: syscall.SIGKILL,
	}, nil
}

// initialise makes the machine's files. What it wrote before it failed is removed by
// the next attempt: the file with the information comes last.
func initialise(ctx context.Context, c layout.Cluster, r layout.Record) error {
	root := c.Path("ssh")
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	for _, folder := range []string{"etc", "keys", "home", "srv"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			return err
		}
	}
	key := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", layout.SSHName, "-f", filepath.Join(root, "host_key"))
	if output, err := key.CombinedOutput(); err != nil {
		return fmt.Errorf("ssh-keygen: %w: %s", err, strings.TrimSpace(string(output)))
	}
	files := map[string]string{"sshd_config": config(root), "ca_keys": "", "revoked_keys": ""}
	for name, content := range accounts() {
		files[filepath.Join("etc", name)] = content
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := furnish(ctx, root); err != nil {
		return err
	}
	return writeInfo(c, r)
}

// config takes certificates and keys, and lets who logs in do all that OpenSSH can.
func config(root string) string {
	return strings.Join([]string{
		"ListenAddress " + layout.SSHAddress,
		// Without IPv6 sshd finds no display to forward X11 to, unless it is told.
		"AddressFamily inet",
		"HostKey " + filepath.Join(root, "host_key"),
		"PidFile none",
		"LogLevel VERBOSE",
		"UsePAM no",
		"UseDNS no",
		// The files belong to root, and tests write them.
		"StrictModes no",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"PermitRootLogin no",
		"TrustedUserCAKeys " + filepath.Join(root, "ca_keys"),
		"AuthorizedKeysFile " + filepath.Join(root, "keys", "%u"),
		"RevokedKeys " + filepath.Join(root, "revoked_keys"),
		"MaxStartups 1000",
		"MaxSessions 1000",
		"AllowTcpForwarding yes",
		"AllowAgentForwarding yes",
		"AllowStreamLocalForwarding yes",
		"StreamLocalBindUnlink yes",
		"GatewayPorts no",
		"X11Forwarding yes",
		"AcceptEnv *",
		"PrintMotd no",
		"PrintLastLog no",
		"Subsystem sftp /usr/lib/openssh/sftp-server",
		"",
	}, "\n")
}

// findServer returns sshd's absolute path, by which it runs itself for each connection.
func findServer() (string, error) {
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if path, err := exec.LookPath(filepath.Join("/", folder, "sshd")); err == nil {
			return path, nil
		}
	}
	return "", errors.New("OpenSSH's server is not installed; run hack/setup.sh")
}
