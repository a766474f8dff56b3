package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Manifest names every other file of a bundle.
type Manifest struct {
	Format  string `json:"format"`
	Version string `json:"version"`
	// Report is the version of the words of report.md and report.html.
	Report  int       `json:"report"`
	Created time.Time `json:"created"`
	Request Identity  `json:"request"`
	// Notes say what is missing, and why.
	Notes []string `json:"notes,omitempty"`
	Files []File   `json:"files"`
}

// Identity is which request a bundle is of.
type Identity struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// File is one file of a bundle.
type File struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	// SHA256 in hex.
	SHA256 string `json:"sha256"`
}

const (
	format        = "sallyport-evidence"
	version       = "1.0"
	reportVersion = 1

	// The files of a bundle. Recordings lie below recordingsFolder as in their store.
	manifestFile     = "manifest.json"
	requestFile      = "request.json"
	policyFile       = "policy.json"
	policyNowFile    = "policy-now.json"
	targetFile       = "target.json"
	targetNowFile    = "target-now.json"
	requestReview    = "reviews/request.json"
	heldReview       = "reviews/held-%04d.json"
	eventsFile       = "events.json"
	factsFile        = "facts.json"
	markdownFile     = "report.md"
	pageFile         = "report.html"
	keyFile          = "keys/recording-%s.pem"
	reviewsFolder    = "reviews"
	recordingsFolder = "recordings"

	// maxDocument bounds a file that is read whole, in bytes.
	maxDocument = 64 << 20
)

// ErrVersion is a bundle of another version than this program reads.
var ErrVersion = errors.New("a bundle of a version that this program does not read: use the version that made it, or a later one")

// readManifest reads the list of files, and the SHA-256 of that list itself.
func readManifest(bundle fs.FS) (Manifest, string, error) {
	var m Manifest
	content, err := readFile(bundle, manifestFile)
	if err != nil {
		return m, "", err
	}
	var kind struct{ Format, Version string }
	if err := json.Unmarshal(content, &kind); err != nil || kind.Format != format {
		return m, "", fmt.Errorf("%s: this is no bundle of evidence", manifestFile)
	}
	if kind.Version != version {
		return m, "", fmt.Errorf("%w: %q", ErrVersion, kind.Version)
	}
	sum := sha256.Sum256(content)
	return m, hex.EncodeToString(sum[:]), strict(manifestFile, content, &m)
}

// readFile reads a file whole, if it is not too large for that.
func readFile(bundle fs.FS, name string) (content []byte, err error) {
	file, err := bundle.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err = io.ReadAll(io.LimitReader(file, maxDocument+1))
	if err == nil && len(content) > maxDocument {
		err = fmt.Errorf("%s: more than %d bytes", name, maxDocument)
	}
	return content, err
}

// readJSON reads a file of JSON, without unknown fields: what is not understood is not
// checked, and must not look as if it were.
func readJSON(bundle fs.FS, name string, into any) error {
	content, err := readFile(bundle, name)
	if err != nil {
		return err
	}
	return strict(name, content, into)
}

func strict(name string, content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if decoder.More() {
		return fmt.Errorf("%s: more than one value", name)
	}
	return nil
}

// encode is how every document of a bundle is written.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out.Bytes(), nil
}
