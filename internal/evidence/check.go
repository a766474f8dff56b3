package evidence

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/tarfs"
)

// Level is how a check came out.
type Level int

// The levels. Gap is something that is not proved, for a reason that is known: nothing
// contradicts it.
const (
	OK Level = iota
	Gap
	Failed
)

// String is the level in one word.
func (l Level) String() string { return []string{"OK", "GAP", "FAILED"}[l] }

// Finding is what one check has shown.
type Finding struct {
	Level Level
	// Subject is what was checked: "policy", "session 0195…".
	Subject string
	Text    string
}

// Result is what a bundle has shown.
type Result struct {
	Request Identity
	// Manifest is the SHA-256 of the list of files, in hex.
	Manifest string
	Findings []Finding
}

// Level is the worst of all findings.
func (r *Result) Level() Level {
	worst := OK
	for _, finding := range r.Findings {
		worst = max(worst, finding.Level)
	}
	return worst
}

func (r *Result) add(level Level, subject, text string, args ...any) {
	r.Findings = append(r.Findings, Finding{level, subject, fmt.Sprintf(text, args...)})
}

// Trust is what a check takes as given.
type Trust struct {
	// Keys that sign recordings. Without them those of the bundle are used, which proves
	// nothing about who made it.
	Keys []ed25519.PublicKey
	// Identities open encrypted recordings, so that what is in them is checked as well.
	Identities []age.Identity
}

// checker is a bundle that is being checked.
type checker struct {
	*Result
	bundle     fs.FS
	manifest   Manifest
	documents  *documents
	recordings store.Reader
	trust      Trust
	// keys that recordings are checked with.
	keys []ed25519.PublicKey
	// corrupt are the sessions that failed, signed the last event that is signed in others.
	corrupt map[string]bool
	signed  map[string]int64
	// recordedIn is the session whose recording has the policy that reviewers saw.
	recordedIn string
}

// Check checks a bundle, and says of each part what that has shown. Its error is one of
// reading; whatever is wrong with the bundle is in the result.
func Check(ctx context.Context, bundle fs.FS, trust Trust) (*Result, error) {
	c := &checker{Result: &Result{}, bundle: bundle, trust: trust, corrupt: map[string]bool{}, signed: map[string]int64{}}
	var err error
	c.manifest, c.Manifest, err = readManifest(bundle)
	if err != nil {
		c.add(Failed, "bundle", "%v", err)
		return c.Result, nil
	}
	c.Request = c.manifest.Request
	if err := c.files(ctx); err != nil {
		return nil, err
	}
	if c.documents, err = load(bundle, c.manifest); err != nil {
		c.add(Failed, "bundle", "a document cannot be read: %v", err)
		return c.Result, nil
	}
	for _, note := range c.manifest.Notes {
		c.add(Gap, "bundle", "its maker says: %s", note)
	}
	recordings, err := fs.Sub(bundle, recordingsFolder)
	if err != nil {
		return nil, err
	}
	c.recordings = present{store.FS(recordings)}
	c.identity()
	facts, err := c.sessions(ctx)
	if err != nil {
		return nil, err
	}
	// What is signed is known first: it bears witness for the rest.
	c.enforced(facts)
	c.bound()
	c.reviews()
	c.grant()
	c.happened(facts)
	c.teardown()
	return c.Result, nil
}

// present reads no sessions where a bundle has no recordings.
type present struct{ store.Reader }

func (p present) Sessions(ctx context.Context) ([]string, error) {
	sessions, err := p.Reader.Sessions(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return sessions, err
}

// files compares every file with the manifest.
func (c *checker) files(ctx context.Context) error {
	listed := map[string]File{}
	for _, file := range c.manifest.Files {
		if _, twice := listed[file.Name]; twice || file.Name == manifestFile {
			c.add(Failed, "file "+file.Name, "the manifest lists it twice, or itself")
		}
		listed[file.Name] = file
	}
	seen, wrong := 0, 0
	err := fs.WalkDir(c.bundle, ".", func(name string, entry fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if entry.IsDir() || name == manifestFile {
			return nil
		}
		if seen++; seen > tarfs.MaxEntries {
			return fmt.Errorf("more than %d files", tarfs.MaxEntries)
		}
		file, ok := listed[name]
		delete(listed, name)
		if !ok {
			wrong++
			c.add(Failed, "file "+name, "the manifest does not list it: it was added")
			return nil
		}
		if text := c.compare(file, entry); text != "" {
			wrong++
			c.add(Failed, "file "+name, "%s", text)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	for _, name := range sortedKeys(listed) {
		wrong++
		c.add(Failed, "file "+name, "the manifest lists it, and it is not there: it was removed")
	}
	if wrong == 0 {
		c.add(OK, "files", "%d, all as the manifest lists them (SHA-256 of the manifest %s)", seen, c.Manifest)
	}
	return nil
}

// compare says what is wrong with a file; nothing if it is the one that is listed.
func (c *checker) compare(want File, entry fs.DirEntry) string {
	if !entry.Type().IsRegular() {
		return "it is no regular file"
	}
	file, err := c.bundle.Open(want.Name)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	switch {
	case err != nil:
		return err.Error()
	case size != want.Size:
		return fmt.Sprintf("it was changed: it has %d bytes, not %d", size, want.Size)
	case hex.EncodeToString(hash.Sum(nil)) != want.SHA256:
		return "it was changed: its SHA-256 is not the one that the manifest lists"
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
