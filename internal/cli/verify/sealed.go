package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// maxSignature bounds a signature's object, in bytes.
const maxSignature = 8 << 10

// sealedStatement compares the newest signature that the request's status has with the
// one that is stored: whoever writes the store anew, with signatures of a key of theirs,
// does not write the status.
func sealedStatement(ctx context.Context, t *recording.Task, session string) error {
	for _, head := range heads(t.Request) {
		sealed := head.Sealed
		if head.Session != session || sealed == nil {
			continue
		}
		corrupt := &record.CorruptError{
			Kind: record.Rewrite, Segment: int(sealed.Segment), Event: sealed.Sequence,
			Object: store.SignatureName(session, int(sealed.Segment)),
		}
		if sealed.After > 0 {
			if hash, err := record.HashOf(ctx, t, session, int(sealed.After)); err == nil && hash.String() != sealed.AfterHash {
				corrupt.Segment, corrupt.Event, corrupt.Object = int(sealed.After), 0, store.SegmentName(session, int(sealed.After))
				corrupt.Reason = "the request's status says that other bytes of this segment were signed"
				return corrupt
			}
		}
		stored, err := readSignature(ctx, t, session, int(sealed.Segment))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// Its proxy may have died with the answer in its hands: the status is the manager's word.
			if hash, err := record.HashOf(ctx, t, session, int(sealed.Segment)); err == nil && hash.String() == sealed.Hash {
				continue
			}
			corrupt.Kind, corrupt.Reason = record.Drop, "the request's status has a signature of this segment, and the store does not"
			return corrupt
		case err != nil:
			corrupt.Reason = err.Error()
			return corrupt
		// Not their bytes: of one statement there may be two, where an answer was lost.
		case stored.Hash != sealed.Hash || stored.Last != sealed.Sequence || stored.Key != sealed.Key:
			corrupt.Reason = "the signature of this segment is another than the one in the request's status"
			return corrupt
		}
	}
	return nil
}

func readSignature(ctx context.Context, from store.Reader, session string, segment int) (record.Signature, error) {
	in, err := from.Open(ctx, store.SignatureName(session, segment), 0)
	if err != nil {
		return record.Signature{}, err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSignature))
	if err := errors.Join(err, in.Close()); err != nil {
		return record.Signature{}, fmt.Errorf("read the signature: %w", err)
	}
	return record.ParseSignature(text)
}

// watched says how far a verification has come, by the objects that it opens.
type watched struct {
	store.Reader

	progress *terminal.Progress
	session  string
	segments int
	last     int
}

// every is how many segments pass between two words about the progress.
const every = 50

func (w *watched) List(ctx context.Context, session string) ([]store.Object, error) {
	objects, err := w.Reader.List(ctx, session)
	w.segments = 0
	for _, object := range objects {
		if name, err := store.ParseName(object.Name); err == nil && name.Kind == store.KindSegment {
			w.segments++
		}
	}
	return objects, err
}

func (w *watched) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if parsed, err := store.ParseName(name); err == nil && parsed.Number >= w.last+every {
		w.last = parsed.Number
		w.progress.Tick("verifying session %s: segment %d of %d", w.session, parsed.Number, w.segments)
	}
	return w.Reader.Open(ctx, name, offset)
}
