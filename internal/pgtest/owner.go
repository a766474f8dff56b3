package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
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
