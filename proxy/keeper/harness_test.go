package keeper

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/volume"
	"github.com/sallyport/sallyport/proxy/session"
)

const requestUID = "6f1f7a52-9a0f-4b57-9d0e-0d7d2a4f8b11"

// world is a keeper with a folder, a spool, and a key that signs.
type world struct {
	*Keeper

	directory, spool string
	key              ed25519.PrivateKey
}

func newWorld(t *testing.T, how grant.Recording, change ...func(*Options)) *world {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{directory: t.TempDir(), spool: t.TempDir(), key: key}
	w.start(t, how, change...)
	return w
}

// start starts a keeper on the folders, as a new process does.
func (w *world) start(t *testing.T, how grant.Recording, change ...func(*Options)) {
	t.Helper()
	options := Options{
		Directory: w.directory, Spool: w.spool, Seal: w.sign, Patience: 2 * time.Second,
		Log: logr.Discard(), Now: time.Now,
	}
	for _, apply := range change {
		apply(&options)
	}
	k := New(options)
	w.Keeper = k
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := k.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := k.Start(how); err != nil {
		t.Fatal(err)
	}
}

func (w *world) sign(_ context.Context, statements []record.Statement) ([]record.Signature, error) {
	signatures := make([]record.Signature, len(statements))
	for i, statement := range statements {
		signatures[i] = record.Sign(w.key, statement, time.Now())
	}
	return signatures, nil
}

func (w *world) begin(t *testing.T, id string) session.Recording {
	t.Helper()
	r, err := w.Begin(record.Start{Session: id, RequestUID: requestUID, User: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// operate records one operation.
func operate(t *testing.T, r session.Recording, number int64, text string) {
	t.Helper()
	if err := try(r, number, text); err != nil {
		t.Fatal(err)
	}
}

func try(r session.Recording, number int64, text string) error {
	return r.AppendOperation(
		&record.Operation{ID: number, Kind: "select", Text: record.Text(text)},
		&record.Verdict{Operation: number, Effect: "Allow", Policy: "p", Rule: "grant"})
}

func finish(t *testing.T, r session.Recording) {
	t.Helper()
	if err := errors.Join(r.Append(record.Event{Type: record.EventEnd, End: &record.End{Reason: "done"}}), r.Close()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) flush(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.Flush(ctx, 10*time.Second, 5*time.Second); err != nil {
		t.Fatal(err)
	}
}

// verify reads what is on the volume.
func (w *world) verify(t *testing.T, id string) (record.Summary, error) {
	t.Helper()
	return record.Verify(t.Context(), store.FS(os.DirFS(w.directory)), id, record.Expectation{
		Session: id, RequestUID: requestUID, Keys: []ed25519.PublicKey{w.key.Public().(ed25519.PublicKey)},
	})
}

// left are the files that are still in a session's spool.
func left(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*", "journal-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// shelf is a store in memory that can be told to fail.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	// before is called at each Put; its error is the Put's.
	before func(ctx context.Context, name string) error
}

func (s *shelf) use(before func(context.Context, string) error) func(*Options) {
	s.objects, s.before = map[string][]byte{}, before
	return func(o *Options) { o.Store = func(grant.Recording) (store.Writer, error) { return s, nil } }
}

func (s *shelf) Put(ctx context.Context, name string, content []byte) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx, name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if there, ok := s.objects[name]; ok && !bytes.Equal(there, content) {
		return fs.ErrExist
	}
	s.objects[name] = bytes.Clone(content)
	return nil
}

func (s *shelf) set(before func(context.Context, string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *shelf) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.objects[name]
	return ok
}

// copyTo writes what is on the shelf to a folder, to be verified there.
func (s *shelf) copyTo(t *testing.T, folder string) {
	t.Helper()
	to, err := volume.Open(folder, volume.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, content := range s.objects {
		if err := to.Put(t.Context(), name, content); err != nil {
			t.Fatal(err)
		}
	}
}

func stall(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func text(size int) string { return fmt.Sprintf("SELECT '%s'", strings.Repeat("x", size)) }
