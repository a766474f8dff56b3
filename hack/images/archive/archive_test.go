package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func file(t *testing.T, contents string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(contents), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t *testing.T, image Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := image.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAnArchiveHoldsFilesAndConfiguration(t *testing.T) {
	image := Image{
		Name:       "sallyport.local/test:dev",
		Files:      []File{{file(t, "certificates"), "/etc/ssl/ca.crt", 0o644}, {file(t, "program"), "/manager", 0o755}},
		Entrypoint: []string{"/manager"}, Env: []string{"A=b"}, User: Nonroot,
	}
	archive := build(t, image)
	if !bytes.Equal(archive, build(t, image)) {
		t.Error("the same input gives other bytes")
	}

	read, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := read.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture == "" || config.Config.User != Nonroot || !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) {
		t.Errorf("configuration: %+v", config)
	}
	layers, err := read.Layers()
	if err != nil {
		t.Fatal(err)
	}
	contents, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for reader := tar.NewReader(contents); ; {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
	if want := []string{"etc/", "etc/ssl/", "etc/ssl/ca.crt", "manager"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

func TestADynamicBinaryIsRefused(t *testing.T) {
	image := Image{Name: "sallyport.local/test:dev", Files: []File{{"/bin/sh", "/sh", 0o755}}}
	if err := image.Write(io.Discard); err == nil || !strings.Contains(err.Error(), "static") {
		t.Errorf("got %v", err)
	}
}

func TestANameWithoutATagIsRefused(t *testing.T) {
	if err := (Image{Name: "sallyport.local/test"}).Write(io.Discard); err == nil {
		t.Error("taken")
	}
}
