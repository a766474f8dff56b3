package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// file appends lines and turns over when it is full: path is the newest, path.1 the
// one before, and so on to path.<keep>. Each batch is on the disk before it counts.
type file struct {
	path  string
	limit int64
	keep  int

	open *os.File
	size int64
}

// write appends all entries or none.
func (f *file) write(entries []entry) (int, error) {
	if err := f.ready(); err != nil {
		return 0, err
	}
	var lines bytes.Buffer
	for _, e := range entries {
		lines.Write(e.line)
		lines.WriteByte('\n')
	}
	_, err := f.open.Write(lines.Bytes())
	if err == nil {
		err = f.open.Sync()
	}
	if err != nil {
		// Half a line would spoil the next one, which is appended to it.
		return 0, errors.Join(fmt.Errorf("append to %s: %w", f.path, err), f.open.Truncate(f.size), f.close())
	}
	f.size += int64(lines.Len())
	return len(entries), nil
}

// ready opens the file, anew if somebody moved it away, and turns a full one over.
func (f *file) ready() error {
	if f.open != nil && f.size >= f.limit {
		if err := f.close(); err != nil {
			return err
		}
		if err := f.turnOver(); err != nil {
			return err
		}
	}
	if f.open != nil {
		if there, err := os.Stat(f.path); err == nil {
			if mine, err := f.open.Stat(); err == nil && os.SameFile(there, mine) {
				return nil
			}
		}
		if err := f.close(); err != nil {
			return err
		}
	}
	opened, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open an audit file: %w", err)
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	f.open, f.size = opened, info.Size()
	return nil
}

func (f *file) turnOver() error {
	for n := f.keep; n > 0; n-- {
		older := f.path + "." + strconv.Itoa(n)
		newer := f.path
		if n > 1 {
			newer = f.path + "." + strconv.Itoa(n-1)
		}
		if err := os.Rename(newer, older); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("turn an audit file over: %w", err)
		}
	}
	return nil
}

func (f *file) close() error {
	if f.open == nil {
		return nil
	}
	err := f.open.Close()
	f.open = nil
	return err
}
