package transcript_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/transcript"
)

func TestRecordingsOfEveryReleasedVersionAreExported(t *testing.T) {
	t.Parallel()
	recordings := filepath.Join("..", "record", "testdata")
	released := map[string]store.Reader{
		"1.0": store.FS(os.DirFS(filepath.Join(recordings, "1.0", "plain"))), "1.0, unfinished": store.FS(os.DirFS(filepath.Join(recordings, "1.0", "unfinished"))),
	}
	for _, version := range []string{"0.1", "0.2"} {
		content, err := os.ReadFile(filepath.Join(recordings, version, "session.rec"))
		if err != nil {
			t.Fatal(err)
		}
		released[version] = store.FS(fstest.MapFS{"0195-session.rec": &fstest.MapFile{Data: content}})
	}
	for version, from := range released {
		for _, format := range transcript.Formats {
			var out bytes.Buffer
			exporter, err := transcript.NewExporter(format, &out)
			if err != nil {
				t.Fatal(err)
			}
			events, err := record.Open(t.Context(), from, "0195-session", record.ReadOptions{})
			if err != nil {
				t.Fatalf("%s: %v", version, err)
			}
			err = exporter.Session(events)
			if incomplete := (&record.IncompleteError{}); err != nil && !errors.As(err, &incomplete) {
				t.Errorf("%s as %s: %v", version, format, err)
			}
			if err := errors.Join(exporter.Close(), events.Close()); err != nil || !bytes.Contains(out.Bytes(), []byte("SELECT * FROM ")) {
				t.Errorf("%s as %s: %v\n%s", version, format, err, out.String())
			}
		}
	}
}
