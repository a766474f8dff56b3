package evidence

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/tarfs"
)

// File that a bundle is written to; what has been written is read again for the report.
type Output interface {
	io.Writer
	io.ReaderAt
}

// tarWriter writes files whose headers say nothing but name and size: the same files
// make the same bytes.
type tarWriter struct {
	count   *counter
	out     *tar.Writer
	written *tarfs.FS
	files   []File
}

type counter struct {
	io.Writer
	at int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.at += int64(n)
	return n, err
}

func newTarWriter(out Output) *tarWriter {
	count := &counter{Writer: out}
	return &tarWriter{count: count, out: tar.NewWriter(count), written: tarfs.New(out)}
}

// maxUSTAR is the largest file that a header of POSIX 1988 can have.
const maxUSTAR = 1<<33 - 1

// stream adds a file of a known size.
func (w *tarWriter) stream(name string, size int64, content io.Reader) error {
	header := &tar.Header{Name: name, Size: size, Mode: 0o444, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR, ModTime: time.Unix(0, 0)}
	if size > maxUSTAR {
		header.Format = tar.FormatPAX
	}
	if err := w.out.WriteHeader(header); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := w.written.Add(name, w.count.at, size); err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(w.out, hash), content, size); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	w.files = append(w.files, File{name, size, hex.EncodeToString(hash.Sum(nil))})
	return w.out.Flush()
}

func (w *tarWriter) file(name string, content []byte) error {
	return w.stream(name, int64(len(content)), bytes.NewReader(content))
}

// document adds a file of JSON.
func (w *tarWriter) document(name string, v any) error {
	content, err := encode(v)
	if err != nil {
		return err
	}
	return w.file(name, content)
}

// listed are the files, by name.
func (w *tarWriter) listed() []File {
	list := slices.Clone(w.files)
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return list
}
