package volume

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/internal/record/store"
)

// Tasks is a volume's root: one folder per request.
type Tasks struct {
	root   *os.Root
	folder string
}

// OpenTasks opens the root of a volume.
func OpenTasks(folder string) (*Tasks, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open the recordings volume: %w", err)
	}
	return &Tasks{root, folder}, nil
}

// Close releases the root; open folders and objects stay open.
func (t *Tasks) Close() error { return t.root.Close() }

// Task is the recordings of one request. It fails with fs.ErrNotExist if there are
// none. The caller closes it.
func (t *Tasks) Task(requestUID string) (*Volume, error) {
	if err := t.check(requestUID); err != nil {
		return nil, err
	}
	root, err := t.root.OpenRoot(requestUID)
	if err != nil {
		return nil, fmt.Errorf("open the recordings of request %s: %w", requestUID, err)
	}
	return newVolume(root, filepath.Join(t.folder, requestUID), Options{}), nil
}

// check looks for a folder: os.Root follows links that stay inside, and one task's
// folder may not be a link to another's.
func (t *Tasks) check(requestUID string) error {
	if err := store.CheckIdentifier(requestUID); err != nil {
		return err
	}
	info, err := t.root.Lstat(requestUID)
	if err != nil {
		return fmt.Errorf("open the recordings of request %s: %w", requestUID, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("open the recordings of request %s: it is no folder", requestUID)
	}
	return nil
}
