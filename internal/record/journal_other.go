//go:build !linux

package record

import (
	"errors"
	"os"
)

// Proxies run on Linux; elsewhere a journal is written to.
func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func allocate(*os.File, []byte, int, int) error { return errors.ErrUnsupported }

func unmap([]byte) error { return nil }

func syncData(file *os.File) error { return file.Sync() }

func exchange(string, string) bool { return false }
