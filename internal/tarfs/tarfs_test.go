package tarfs_test

import (
	"archive/tar"
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/sallyport/sallyport/internal/tarfs"
)

// archive is a tar file of entries, each with its name as content where it is a file.
func archive(t *testing.T, headers ...tar.Header) *bytes.Reader {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, header := range headers {
		content := []byte(nil)
		if header.Typeflag == tar.TypeReg {
			content = []byte(header.Name)
			header.Size = int64(len(content))
		}
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(out.Bytes())
}

func TestATarFileIsAFileSystem(t *testing.T) {
	t.Parallel()
	in := archive(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./empty/", Typeflag: tar.TypeDir},
		tar.Header{Name: "./a/b/c", Typeflag: tar.TypeReg}, tar.Header{Name: "a/d", Typeflag: tar.TypeReg}, tar.Header{Name: "a/b/", Typeflag: tar.TypeDir},
	)
	tree, err := tarfs.Read(in, in.Size(), tarfs.RefuseLinks)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(tree, "empty", "a/b/c", "a/d"); err != nil {
		t.Error(err)
	}
}

func TestATarFileThatLeadsElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]tar.Header{
		"out of it":      {{Name: "../x", Typeflag: tar.TypeReg}},
		"absolute":       {{Name: "/x", Typeflag: tar.TypeReg}},
		"twice":          {{Name: "x", Typeflag: tar.TypeReg}, {Name: "./x", Typeflag: tar.TypeReg}},
		"file, folder":   {{Name: "x", Typeflag: tar.TypeReg}, {Name: "x/y", Typeflag: tar.TypeReg}},
		"folder, file":   {{Name: "x/y", Typeflag: tar.TypeReg}, {Name: "x", Typeflag: tar.TypeReg}},
		"folder of file": {{Name: "x", Typeflag: tar.TypeReg}, {Name: "x/", Typeflag: tar.TypeDir}},
		"dots in names":  {{Name: "a/../b", Typeflag: tar.TypeReg}},
		"a folder above": {{Name: "../", Typeflag: tar.TypeDir}},
	} {
		in := archive(t, headers...)
		if _, err := tarfs.Read(in, in.Size(), tarfs.SkipLinks); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestLinksAndDevicesAreNotThere(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]tar.Header{
		"a link":      {Name: "x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"a hard link": {Name: "x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		"a device":    {Name: "x", Typeflag: tar.TypeChar},
	} {
		in := archive(t, header, tar.Header{Name: "y", Typeflag: tar.TypeReg})
		if _, err := tarfs.Read(in, in.Size(), tarfs.RefuseLinks); err == nil {
			t.Errorf("%s: taken", name)
		}
		tree, err := tarfs.Read(in, in.Size(), tarfs.SkipLinks)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if entries, err := tree.ReadDir("."); err != nil || len(entries) != 1 || entries[0].Name() != "y" {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

// A sparse file is other bytes to whoever unpacks it than to whoever reads it in place.
func TestASparseFileIsRefused(t *testing.T) {
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
	if _, err := tarfs.Read(bytes.NewReader(content), int64(len(content)), tarfs.SkipLinks); err == nil {
		t.Error("it is taken")
	}
}
