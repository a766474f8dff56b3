package record_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

var (
	update = flag.Bool("update", false, "write testdata of the current version anew, before that is released")
	only   = flag.String("only", "", "the one folder that -update writes")
)

func TestEveryReleasedVersionOfOneFileIsReadForEver(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"0.1": "fd0d", "0.2": "e39f"} {
		kept, err := os.ReadFile(filepath.Join("testdata", version, "session.rec"))
		if err != nil {
			t.Fatal(err)
		}
		from := store.FS(fstest.MapFS{start.Session + ".rec": &fstest.MapFile{Data: kept}})
		summary, err := record.Verify(context.Background(), from, start.Session, record.Expectation{Session: start.Session, RequestUID: start.RequestUID})
		if err != nil || summary.Operations != 1 || summary.Head.Hash[:4] != want || summary.Header.Version != version {
			t.Errorf("%s: %+v, %v", version, summary, err)
		}
		r, err := record.Open(context.Background(), from, start.Session, record.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for want := range summary.Head.Sequence {
			if event, err := r.Next(); err != nil || event.Sequence != want+1 {
				t.Errorf("%s: %+v, %v", version, event, err)
			}
		}
		if err := r.SeekEvent(3); err != nil {
			t.Fatal(err)
		}
		if event, err := r.Next(); err != nil || event.Operation == nil {
			t.Errorf("%s: %+v, %v", version, event, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// kept is what testdata holds of version 1.0, each in a folder.
func kept(t *testing.T) map[string]written {
	t.Helper()
	plain := write(t, record.Options{}, everything()...)
	encrypted := write(t, record.Options{Recipients: recipients()}, everything()...)
	granted := write(t, record.Options{}, granting()...)
	unfinished, r, journal := running(t)
	r.put(journal, append(bytes.TrimRight(r[journal].Data, "\x00"), make([]byte, 64)...))
	return map[string]written{
		"plain":      {recording: plain.sealed(), heads: plain.heads},
		"granted":    {recording: granted.sealed(), heads: granted.heads},
		"encrypted":  {recording: encrypted.sealed(), heads: encrypted.heads},
		"unfinished": {recording: r, heads: unfinished.heads},
	}
}

func TestRecordingsOfVersion1AreReadForEver(t *testing.T) {
	t.Parallel()
	const root = "testdata/1.0"
	for kind, now := range kept(t) {
		folder := filepath.Join(root, kind)
		if *update && (*only == "" || *only == kind) {
			for name, file := range now.recording {
				path := filepath.Join(folder, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, file.Data, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		expect := record.Expectation{
			Session: start.Session, RequestUID: start.RequestUID, Heads: now.heads[len(now.heads)-1:],
			Keys: []ed25519.PublicKey{publicKey(t, filepath.Join(root, "recording.pub"))}, Identities: identities(t, filepath.Join(root, "identity.txt")),
		}
		if kind == "encrypted" {
			expect.Heads = nil // other bytes each time that it is written
		}
		from := store.FS(os.DirFS(folder))
		summary, err := record.Verify(context.Background(), from, start.Session, expect)
		var incomplete *record.IncompleteError
		if finished := kind != "unfinished"; finished != (err == nil) || !finished && !errors.As(err, &incomplete) {
			t.Errorf("%s: %+v, %v", kind, summary, err)
		}
		if summary.Unsigned > 0 || summary.Heads != len(expect.Heads) || !summary.Read {
			t.Errorf("%s: %+v", kind, summary)
		}
		r := recording{}
		if err := fill(r, folder); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(readAll(t, now.recording), readAll(t, r)); diff != "" {
			t.Errorf("%s: the writer of 1.0 does not write what it wrote once: %s", kind, diff)
		}
	}
}

// fill reads a recording's objects.
func fill(r recording, folder string) error {
	from := store.FS(os.DirFS(folder))
	objects, err := from.List(context.Background(), start.Session)
	for _, object := range objects {
		data, failed := os.ReadFile(filepath.Join(folder, object.Name))
		err = errors.Join(err, failed)
		r.put(object.Name, data)
	}
	return err
}

func publicKey(t *testing.T, path string) ed25519.PublicKey {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok || !slices.Equal(public, trusted[0]) {
		t.Fatal("not the key of the tests")
	}
	return public
}

func identities(t *testing.T, path string) []age.Identity {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	found, err := age.ParseIdentities(file)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
