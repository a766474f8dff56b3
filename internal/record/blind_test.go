package record_test

import (
	"errors"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Who has no identity cannot count the events of a segment that nobody has signed yet:
// that is no proof that any are gone.
func TestREC2_AnEncryptedEndThatIsNotSignedYetIsNotCalledCut(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{Recipients: recipients()}, everything()...)
	r := w.sealed()
	delete(r, store.SignatureName(start.Session, 3))
	expect := expected(w)
	expect.Identities, expect.Heads = nil, expect.Heads[len(expect.Heads)-1:]
	summary, err := check(r, expect)
	if incomplete := (&record.IncompleteError{}); !errors.As(err, &incomplete) || summary.Unsigned != 1 {
		t.Errorf("%d unsigned, %v", summary.Unsigned, err)
	}
	// A segment that is gone is.
	delete(r, store.SegmentName(start.Session, 3))
	if _, err := check(r, expect); err == nil || errors.As(err, new(*record.IncompleteError)) {
		t.Errorf("cut: %v", err)
	}
}
