// Package postgres runs Debian's PostgreSQL beside the cluster, as the database
// that somebody wants access to.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/pki"
	"github.com/sallyport/sallyport/hack/cluster/internal/sandbox"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// Name is the process's name at the supervisor.
const Name = "postgres"

// account is Debian's for the server, which refuses to run as root.
const account = "postgres"

// Prepare makes the data folder, certificate and password, unless they exist, and
// returns how to start the server.
func Prepare(ctx context.Context, c layout.Cluster, r layout.Record) (supervise.Spec, error) {
	binaries, err := findBinaries()
	if err != nil {
		return supervise.Spec{}, err
	}
	uid, gid, err := lookup()
	if err != nil {
		return supervise.Spec{}, err
	}
	if _, err := os.Stat(InfoPath(c)); errors.Is(err, fs.ErrNotExist) {
		if err := initialise(ctx, c, r, binaries, uid, gid); err != nil {
			return supervise.Spec{}, err
		}
	} else if err != nil {
		return supervise.Spec{}, err
	}
	return supervise.Spec{
		Name: Name, UID: uid, GID: gid, Log: c.Log(Name),
		Args: []string{filepath.Join(binaries, "postgres"), "-D", filepath.Join(layout.PostgresInside, "data")},
		// A fast shutdown: it ends sessions and does not wait for them.
		StopSignal: syscall.SIGINT,
	}, nil
}

// initialise makes the database cluster. What it wrote before it failed is
// removed by the next attempt: the file with the password comes last.
func initialise(ctx context.Context, c layout.Cluster, r layout.Record, binaries string, uid, gid uint32) error {
	home := filepath.Join(c.VarLib(), "postgresql")
	if err := os.RemoveAll(home); err != nil {
		return err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	password := rand.Text()
	if err := os.WriteFile(filepath.Join(home, "password"), []byte(password), 0o600); err != nil {
		return err
	}
	if err := writeCertificates(c, home); err != nil {
		return err
	}
	if err := chownAll(home, int(uid), int(gid)); err != nil {
		return err
	}

	output, err := sandbox.Command(ctx, r,
		"setpriv", "--reuid", strconv.Itoa(int(uid)), "--regid", strconv.Itoa(int(gid)), "--clear-groups",
		filepath.Join(binaries, "initdb"), "--pgdata", filepath.Join(layout.PostgresInside, "data"),
		"--username", account, "--pwfile", filepath.Join(layout.PostgresInside, "password"),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
	).CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(output)))
	}
	data := filepath.Join(home, "data")
	if err := appendTo(filepath.Join(data, "postgresql.conf"), settings()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	return writeInfo(c, r, password)
}

// hba wants TLS and a password from everyone.
const hba = "hostssl all all all scram-sha-256\n"

func settings() string {
	return strings.Join([]string{
		"listen_addresses = '" + layout.PostgresIP + "'",
		"unix_socket_directories = ''",
		"ssl = on",
		"ssl_cert_file = '" + layout.PostgresInside + "/server.crt'",
		"ssl_key_file = '" + layout.PostgresInside + "/server.key'",
		"password_encryption = 'scram-sha-256'",
		"max_connections = 200",
		// This data is worth nothing after a power cut.
		"fsync = off",
		"full_page_writes = off",
		"log_connections = on",
		"log_line_prefix = '%m [%p] %u@%d '",
		"",
	}, "\n")
}

// writeCertificates makes a certificate by an authority of the server's own.
func writeCertificates(c layout.Cluster, home string) error {
	if err := os.MkdirAll(c.Path("postgres"), 0o755); err != nil {
		return err
	}
	ca, err := pki.NewAuthority("postgres-ca", c.Path("postgres", "ca"))
	if err != nil {
		return err
	}
	// The loopback address is for the host, which comes by the forwarder.
	pair, err := ca.Issue(pki.Subject{Name: account, Addresses: []string{layout.PostgresIP, layout.PostgresName, "127.0.0.1", "localhost"}})
	if err != nil {
		return err
	}
	return pair.Save(filepath.Join(home, "server"))
}

// findBinaries returns the newest installed version's folder.
func findBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		if initdb, err := exec.LookPath("initdb"); err == nil {
			return filepath.Dir(initdb), nil
		}
		return "", errors.New("PostgreSQL is not installed; run hack/setup.sh")
	}
	version := func(path string) int {
		number, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return number
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) > version(found[j]) })
	return filepath.Dir(found[0]), nil
}

func lookup() (uid, gid uint32, err error) {
	u, err := user.Lookup(account)
	if err != nil {
		return 0, 0, fmt.Errorf("run hack/setup.sh: %w", err)
	}
	uid64, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	gid64, err := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(uid64), uint32(gid64), err
}

func chownAll(root string, uid, gid int) error {
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}
