package volume_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/conformance"
	"github.com/sallyport/sallyport/internal/record/store/volume"
)

func TestAVolumeConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		v, folder := open(t, volume.Options{})
		another, _ := open(t, volume.Options{})
		return conformance.Subject{
			Reader: v, Writer: v, Remover: v, Another: another,
			Plant: func(t *testing.T, name string, content []byte) {
				t.Helper()
				plant(t, filepath.Join(folder, name), content)
			},
		}
	})
}

func open(t testing.TB, options volume.Options) (*volume.Volume, string) {
	t.Helper()
	folder := t.TempDir()
	v, err := volume.Open(folder, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v, folder
}

func plant(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkPut(b *testing.B) {
	v, _ := open(b, volume.Options{})
	conformance.Measure(b, v)
}

// Two processes have the folder: a proxy, and the one that follows it.
func TestOfTwoProcessesOneWritesAnObject(t *testing.T) {
	t.Parallel()
	first, folder := open(t, volume.Options{})
	second, err := volume.Open(folder, volume.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	for number := range 50 {
		name := store.SegmentName("one", number+1)
		var writers sync.WaitGroup
		results := make([]error, 2)
		for i, v := range []*volume.Volume{first, second} {
			writers.Go(func() { results[i] = v.Put(t.Context(), name, []byte{byte(i)}) })
		}
		writers.Wait()
		for i, err := range results {
			if other := results[1-i]; (err == nil) == (other == nil) || err != nil && !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s: %v and %v", name, err, other)
			}
		}
	}
}
