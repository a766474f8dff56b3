package record_test

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

func TestREC2_OneChainGoesThroughAllThatWasSigned(t *testing.T) {
	t.Parallel()
	notice := &record.Event{Type: record.EventNotice, Notice: "nothing happened here"}
	w := write(t, record.Options{}, notice, nil, notice, nil, &record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left"}})
	first, third := parsed(t, w, 1), parsed(t, w, 3)
	// Its proxy was asked for no signature between, and has lost the first one.
	signed := func(link record.Link) recording {
		objects := w.sealed()
		delete(objects, names(1)[1])
		delete(objects, names(2)[1])
		objects.put(names(3)[1], record.SignLinked(signer, third.Statement, link, time.Unix(1772355600, 0)).Encode())
		return objects
	}
	if summary, err := check(signed(record.Link{After: 1, AfterHash: first.Hash}), record.Expectation{Keys: trusted}); err != nil || summary.SignedSegment != 3 {
		t.Errorf("%+v, %v", summary, err)
	}
	_, err := check(signed(record.Link{After: 1, AfterHash: third.Hash}), record.Expectation{Keys: trusted})
	if corrupt := corrupted(t, "another first segment was signed", err); corrupt.Kind != record.Rewrite || corrupt.Segment != 1 {
		t.Error(corrupt)
	}
	for name, link := range map[string]record.Link{
		"itself": {After: 3, AfterHash: third.Hash}, "no hash": {After: 1}, "no segment": {AfterHash: first.Hash},
	} {
		signature := record.SignLinked(signer, third.Statement, link, time.Unix(1772355600, 0))
		if _, err := record.ParseSignature(signature.Encode()); err == nil {
			t.Errorf("%s: taken for a signature", name)
		}
	}
}
