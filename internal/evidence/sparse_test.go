package evidence_test

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/sallyport/sallyport/internal/evidence"
)

// A sparse file is other bytes to whoever unpacks it than to whoever reads it in place.
func TestASparseFileInABundleIsRefused(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	// The writer refuses the true name of these records.
	header := &tar.Header{Name: "request.json", Mode: 0o600, Size: 2, Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{
		"GNX.sparse.map": "0,1,4095,1", "GNX.sparse.numblocks": "2", "GNX.sparse.size": "4096",
	}}
	if err := w.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content := bytes.ReplaceAll(out.Bytes(), []byte("GNX.sparse"), []byte("GNU.sparse"))
	if _, err := evidence.OpenTar(bytes.NewReader(content), int64(len(content))); err == nil {
		t.Error("it is taken")
	}
}
