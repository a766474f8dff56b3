package reader

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record/store"
)

// written is how much of an object there is to send from an offset on, in bytes: of a
// journal, which lies in a file that is mostly zeros yet, what stands before them. Who
// follows a session asks for it every second.
func written(ctx context.Context, recordings store.Reader, what asked) (int64, error) {
	if name, err := store.ParseName(what.object); err != nil || name.Kind != store.KindJournal {
		return readerapi.MaxChunk, err
	}
	journal, err := recordings.Open(ctx, what.object, what.offset)
	if err != nil {
		return 0, err
	}
	var end, at int64
	buffer := make([]byte, 64<<10)
	for at < readerapi.MaxChunk && err == nil {
		var n int
		n, err = journal.Read(buffer)
		if last := len(bytes.TrimRight(buffer[:n], "\x00")); last > 0 {
			end = at + int64(last)
		}
		at += int64(n)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return min(end, readerapi.MaxChunk), errors.Join(err, journal.Close())
}
