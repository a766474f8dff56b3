package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/record/store/volume"
)

// terminationLog is where the kubelet reads a container's last words: the manager, which
// mounts nothing, learns there what was removed, or why it was not.
const terminationLog = "/dev/termination-log"

// remove empties the folder of one task's recordings, and says so in words.
func remove(ctx context.Context, directory, words string) error {
	removed, err := empty(ctx, directory)
	if err != nil {
		removed = err.Error()
	}
	// Without it, the exit code still tells.
	_ = os.WriteFile(words, []byte(removed), 0o600)
	return err
}

func empty(ctx context.Context, directory string) (string, error) {
	recordings, err := volume.Open(directory, volume.Options{Now: time.Now})
	if err != nil {
		return "", err
	}
	sessions, listErr := recordings.Sessions(ctx)
	bytes, measureErr := recordings.Usage(ctx)
	if err := errors.Join(recordings.Remove(ctx), recordings.Close()); err != nil {
		return "", err
	}
	if err := errors.Join(listErr, measureErr); err != nil {
		return "everything; it could not be counted: " + err.Error(), nil
	}
	return fmt.Sprintf("%d sessions, %d bytes", len(sessions), bytes), nil
}
