package volume

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/sallyport/sallyport/internal/record/store"
)

const (
	// A proxy's group reads: the reader is in it, others are not.
	fileMode, folderMode = 0o640, 0o750
	// temporary begins the name of an object that is being written: no object's name.
	temporary = ".put-"
)

// Put writes a file beside, syncs it, and gives it its name with link(2), which
// unlike rename(2) never replaces, and unlike O_EXCL shows the file only when whole;
// both hold over NFS too. The object and its name are on the disk when Put returns.
func (v *Volume) Put(ctx context.Context, name string, content []byte) error {
	parsed, err := store.CheckPut(name, content)
	if err := errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	if err := v.put(ctx, parsed, content); err != nil {
		return fmt.Errorf("put %s: %w", name, explain(err))
	}
	return nil
}

func (v *Volume) put(ctx context.Context, name store.Name, content []byte) error {
	session, err := v.session(name.Session)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	base := path.Base(name.String())
	if found, err := same(session, base, content); err != nil || found {
		// A crash may have come between the name and the sync of its folder.
		return errors.Join(err, syncFolder(session))
	}
	if err := v.Room(ctx, int64(len(content))); err != nil {
		return err
	}
	draft := temporary + rand.Text()
	defer func() { _ = session.Remove(draft) }()
	if err := write(session, draft, content); err != nil {
		return err
	}
	err = publish(session, draft, base)
	if errors.Is(err, fs.ErrExist) {
		// Another won, or NFS asked twice for what the first request had done.
		if found, compared := same(session, base, content); compared != nil || !found {
			return errors.Join(err, compared)
		}
		err = nil
	}
	if err := errors.Join(err, syncFolder(session)); err != nil {
		return err
	}
	v.add(int64(len(content)))
	return nil
}

// session opens a session's folder, and makes it before the first object.
func (v *Volume) session(session string) (*os.Root, error) {
	err := v.root.Mkdir(session, folderMode)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if info, err := v.root.Lstat(session); err != nil || !info.IsDir() {
		return nil, errors.Join(errors.New("the session's folder is none"), err)
	}
	if made {
		if err := syncFolder(v.root); err != nil {
			return nil, err
		}
	}
	return v.root.OpenRoot(session)
}

// same says whether the object is there with these very bytes; other bytes, or no
// file, are fs.ErrExist.
func same(session *os.Root, base string, content []byte) (bool, error) {
	info, err := session.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || info.Size() != int64(len(content)) {
		return false, fs.ErrExist
	}
	file, err := session.OpenFile(base, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	there, err := io.ReadAll(io.LimitReader(file, info.Size()+1))
	if err != nil {
		return false, err
	}
	if !bytes.Equal(there, content) {
		return false, fs.ErrExist
	}
	return true, file.Sync()
}

func write(session *os.Root, draft string, content []byte) error {
	file, err := session.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	// NFS may report a full volume as late as here.
	return errors.Join(err, file.Close())
}

// publish names a draft. CIFS and FUSE know no links: there rename may be told not to
// replace. One of the two is needed.
func publish(session *os.Root, draft, base string) error {
	err := session.Link(draft, base)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, unsupported := range []error{syscall.EPERM, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EMLINK} {
		if errors.Is(err, unsupported) {
			return rename(session, draft, base)
		}
	}
	return err
}

func syncFolder(root *os.Root) error {
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	err = folder.Sync()
	// Some network and FUSE file systems sync names on their own, and say EINVAL.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, folder.Close())
}

// explain says what a full volume is, so that its owner knows what to do.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}
