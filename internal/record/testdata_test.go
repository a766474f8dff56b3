package record_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
)

var update = flag.Bool("update", false, "write testdata of the current version anew, before that is released")

func TestEveryReleasedVersionIsReadForEver(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"0.1": "fd0d",
		"0.2": "e39f",
	} {
		file := filepath.Join("testdata", version, "session.rec")
		data, heads := session(t)
		if *update && version == record.Version {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		summary, err := record.VerifyFile(bytes.NewReader(kept), record.Expectation{Session: start.Session, RequestUID: start.RequestUID})
		if err != nil || summary.Operations != 1 || summary.Head.Hash[:4] != want {
			t.Errorf("%s: %+v, %v", version, summary, err)
		}
		if version == record.Version && summary.Head != heads[len(heads)-1] {
			t.Errorf("the writer of %s does not write what it wrote once", version)
		}
	}
}
