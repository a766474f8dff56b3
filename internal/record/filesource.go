package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// fileSource is a recording of one file, which may still grow.
type fileSource struct {
	objects *objects
	name    string
	in      io.ReadCloser
	reader  *FileReader
}

func openFile(o *objects, name string) (*fileSource, error) {
	f := &fileSource{objects: o, name: name}
	return f, f.rewind()
}

// rewind begins anew.
func (f *fileSource) rewind() error {
	if err := f.reopen(0); err != nil {
		return err
	}
	var err error
	if f.reader, err = NewFileReader(f.in); err != nil {
		return errors.Join(err, f.close())
	}
	return nil
}

func (f *fileSource) next() (Event, error) {
	event, err := f.reader.Next()
	if incomplete := (*IncompleteError)(nil); !errors.As(err, &incomplete) {
		return event, err
	}
	// It may have grown.
	if err := f.reopen(f.reader.offset); err != nil {
		return event, err
	}
	f.reader.in, f.reader.failed = bufio.NewReaderSize(f.in, 64<<10), nil
	return f.reader.Next()
}

func (f *fileSource) reopen(offset int64) error {
	if err := f.close(); err != nil {
		return err
	}
	in, err := f.objects.from.Open(f.objects.ctx, f.name, offset)
	if err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	f.in = in
	return nil
}

func (f *fileSource) close() error {
	if f.in == nil {
		return nil
	}
	err := f.in.Close()
	f.in = nil
	return err
}
