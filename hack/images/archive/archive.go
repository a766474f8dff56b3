// Package archive makes a docker archive of static binaries: one layer, and the
// same bytes for the same input.
package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Nonroot is the account that an image runs as unless it says otherwise.
const Nonroot = "65532:65532"

// Image is what goes into one image.
type Image struct {
	// Name is the image's full name with its tag.
	Name       string
	Files      []File
	Entrypoint []string
	Env        []string
	User       string
}

// File is one file of the image's only layer.
type File struct {
	Source, Target string
	Mode           int64
}

// Write writes the image as a docker archive.
func (i Image) Write(w io.Writer) error {
	tag, err := name.NewTag(i.Name, name.StrictValidation)
	if err != nil {
		return err
	}
	contents, err := i.layer()
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(contents)), nil
	})
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	// Without these two containerd takes the image for another platform's.
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Entrypoint: i.Entrypoint, Env: append([]string{"PATH=/"}, i.Env...), User: i.User, WorkingDir: "/",
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	return tarball.Write(tag, image, w)
}

// layer is a tar with the files and the folders above them, in order of their
// paths, all of them root's and without times.
func (i Image) layer() ([]byte, error) {
	files := append([]File(nil), i.Files...)
	sort.Slice(files, func(a, b int) bool { return files[a].Target < files[b].Target })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := map[string]bool{".": true, "": true}
	for _, file := range files {
		target := strings.TrimPrefix(path.Clean("/"+file.Target), "/")
		if err := writeFolders(w, made, path.Dir(target)); err != nil {
			return nil, err
		}
		if err := writeFile(w, file, target); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeFolders(w *tar.Writer, made map[string]bool, dir string) error {
	if made[dir] {
		return nil
	}
	if err := writeFolders(w, made, path.Dir(dir)); err != nil {
		return err
	}
	made[dir] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
}

func writeFile(w *tar.Writer, file File, target string) error {
	contents, err := os.ReadFile(file.Source)
	if err != nil {
		return err
	}
	if err := checkStatic(file.Source, contents); err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: target, Mode: file.Mode, Size: int64(len(contents))}
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	_, err = w.Write(contents)
	return err
}
