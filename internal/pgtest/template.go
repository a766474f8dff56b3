package pgtest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// initdb takes a second: it runs once per version, and each server gets a copy.
var templateMu sync.Mutex

// copyTemplate makes a data directory of the owner's at destination.
func (o *owner) copyTemplate(binaries, destination string) error {
	template, err := o.template(binaries)
	if err != nil {
		return err
	}
	return o.copyTree(template, destination)
}

// template returns the cached data directory, and makes it when there is none.
// Several processes may make it at once: the first rename wins.
func (o *owner) template(binaries string) (string, error) {
	templateMu.Lock()
	defer templateMu.Unlock()
	out, err := exec.Command(filepath.Join(binaries, "postgres"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask PostgreSQL's version: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	name := strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' || r == '(' || r == ')' {
			return '-'
		}
		return r
	}, strings.TrimSpace(string(out)))
	dir := filepath.Join(cache, "sallyport", "pgtest", fmt.Sprintf("%s-uid%d", name, os.Geteuid()))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", err
	}
	fresh, err := o.initdb(binaries)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(filepath.Dir(fresh)) }()
	staging, err := os.MkdirTemp(filepath.Dir(dir), "staging-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	if err := (&owner{}).copyTree(fresh, filepath.Join(staging, "data")); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(staging, "data"), dir); err != nil && !os.IsExist(err) {
		return "", err
	}
	return dir, nil
}

// initdb makes a data directory in a new temporary directory.
func (o *owner) initdb(binaries string) (string, error) {
	root, err := o.tempDir()
	if err != nil {
		return "", err
	}
	pwfile := filepath.Join(root, "pw")
	if err := o.writeFile(pwfile, password+"\n"); err != nil {
		return "", err
	}
	data := filepath.Join(root, "data")
	// The smallest segments: 1 MiB to copy in place of 16.
	cmd := exec.Command(filepath.Join(binaries, "initdb"), "-D", data, "-U", superuser, "--pwfile", pwfile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync")
	cmd.Dir = root
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: o.credential}
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(root)
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return data, nil
}

func (o *owner) copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			if err := os.Mkdir(target, 0o700); err != nil {
				return err
			}
			return o.chown(target)
		}
		if err := copyFile(path, target); err != nil {
			return err
		}
		return o.chown(target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
