package evidence_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record"
)

// The manager may sign a segment once more whose signature did not arrive, and a proxy may
// die before it has stored one: neither is anybody's crime.
func TestALostSignatureIsNotTakenForAForgedOne(t *testing.T) {
	t.Parallel()
	bundle := newWorld(t).bundle(t)
	last := func(f files) string {
		name := ""
		for object := range f {
			if strings.HasPrefix(object, "recordings/0195-a/") && strings.HasSuffix(object, ".sig") {
				name = max(name, object)
			}
		}
		return name
	}
	f := unpack(t, bundle)
	stored, err := record.ParseSignature(f[last(f)])
	if err != nil {
		t.Fatal(err)
	}
	again := record.Sign(signing, stored.Statement, stored.Time.Add(time.Minute))
	edit(t, f, "request.json", func(r *v1alpha1.TaskAccessRequest) {
		for i := range r.Status.Recording.Head {
			if head := &r.Status.Recording.Head[i]; head.Session == "0195-a" {
				head.Sealed.Signature = base64.StdEncoding.EncodeToString(again.Signature)
			}
		}
	})
	f.list(t)
	if result := check(t, f.fs(), trusted()); result.Level() == evidence.Failed {
		t.Errorf("signed twice: %s", said(result, evidence.Failed))
	}
	delete(f, last(f))
	f.list(t)
	// The report of this bundle tells of a signature: of one that was never stored it would not.
	if wrong := said(check(t, f.fs(), trusted()), evidence.Failed); strings.HasPrefix(wrong, "session 0195-a: ") || strings.Contains(wrong, "\nsession 0195-a: ") {
		t.Errorf("not stored: %s", wrong)
	}
}
