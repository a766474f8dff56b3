package sftp

import (
	"context"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// Operation is what a Gate is asked.
type Operation struct {
	// Kind as in policy.Action: "sftp open".
	Kind string
	// Files that it touches, by canonical path.
	Files []policy.FileUse
	// Bytes of the file; -1 where nobody says.
	Bytes int64
	// Shown is what would be done, for people; an approval releases just that.
	Shown string
	// FromTarget says that the file's bytes go to the client.
	FromTarget bool
	// Unknown is why it cannot be told what it does: then it is recorded, and refused.
	Unknown string
}

// Admission is an operation that may go on, under its number in the recording.
type Admission struct {
	Operation int64
	// Held says that it has waited for its reviewers: what it is about may have changed.
	Held bool
}

// Direction of a file's bytes.
type Direction string

// The directions.
const (
	Upload   Direction = "upload"
	Download Direction = "download"
)

// Gate is the one door of the session, and its recording. Every error but a *Refused ends
// the relay.
type Gate interface {
	// Admit decides, and waits for reviewers where a rule holds the operation.
	Admit(ctx context.Context, operation Operation) (Admission, error)
	// MaxBytes is how large a file of that path may be; 0 is no bound.
	MaxBytes(path string, access v1alpha1.FileAccess) int64
	// Move counts bytes of the session's files that are about to pass; a *Refused is a
	// limit that they would exceed.
	Move(direction Direction, bytes int64) error
	// Stream records bytes of an upload before they are forwarded. Sum is the SHA-256, in
	// hex, of the file so far, where it came in order from its beginning; else "".
	Stream(operation, bytes int64, sum string) error
	// KeepBytes is how much of a file's content is recorded, from its beginning.
	KeepBytes() int64
	// Content records a piece of it.
	Content(operation int64, piece []byte) error
	File(record.File) error
	Result(record.Result) error
}

// Refused is an operation, or a byte too much, that is refused in these words. The
// session goes on.
type Refused struct{ Words string }

func (r *Refused) Error() string { return r.Words }
