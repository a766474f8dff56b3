//go:build !linux

package volume

import (
	"errors"
	"os"
)

func rename(*os.Root, string, string) error { return errors.ErrUnsupported }
