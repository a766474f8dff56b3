package record

import (
	"context"

	"github.com/sallyport/sallyport/internal/record/store"
)

// Verify reads a whole recording and checks it. The error is nil for a complete one
// that agrees, an *IncompleteError for an unfinished one that agrees, and a
// *CorruptError that says what is wrong and where. The summary holds what was found
// until then.
func Verify(ctx context.Context, from store.Reader, session string, expect Expectation) (Summary, error) {
	return Summary{}, errNotWritten
}
