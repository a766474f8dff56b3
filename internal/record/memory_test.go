package record_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// mostHeap and mostSpool bound what a session takes beside what is stored, however long it
// is: SALLYPORT_RECORD_MIB makes it longer.
const (
	mostHeap  = 24 << 20
	mostSpool = 8 << 20
)

// TestREC4_ALongSessionTakesBoundedMemoryAndSpool is not parallel: it looks at the heap.
func TestREC4_ALongSessionTakesBoundedMemoryAndSpool(t *testing.T) {
	root := t.TempDir()
	spool := filepath.Join(root, "spool")
	w, err := record.NewWriter(record.Options{Start: start, Spool: spool, Sealed: func(s record.Sealed) {
		path := filepath.Join(root, "store", store.SegmentName(s.Session, s.Segment))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, s.Content, 0o600), os.Remove(s.Journal)); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	base := heap()
	block := make([]byte, record.MaxBlock)
	mebibytes := 192
	if text := os.Getenv("SALLYPORT_RECORD_MIB"); text != "" {
		if mebibytes, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	blocks := mebibytes << 20 / len(block)
	for i := range blocks {
		block[i%len(block)]++
		err := errors.Join(
			w.AppendOperation(&record.Operation{ID: int64(i), Kind: "select", Text: "SELECT 1"}, &record.Verdict{Effect: "Allow"}),
			w.Append(record.Event{Type: record.EventOutput, Output: &record.Output{Operation: int64(i), Bytes: int64(len(block)), Block: block}}))
		if err != nil {
			t.Fatal(err)
		}
		if i%128 == 0 {
			bounded(t, base, spool)
		}
	}
	if err := errors.Join(w.Append(record.Event{Type: record.EventEnd, End: &record.End{}}), w.Close()); err != nil {
		t.Fatal(err)
	}
	var most uint64
	r, err := record.Open(context.Background(), store.FS(os.DirFS(filepath.Join(root, "store"))), start.Session, record.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	events := 0
	for {
		_, err = r.Next()
		if err != nil {
			break
		}
		if events++; events%256 == 0 {
			most = max(most, heap())
		}
	}
	if events != 2*blocks+2 || !r.Head().Complete {
		t.Errorf("%d events, %v", events, err)
	}
	if most > base+mostHeap {
		t.Errorf("reading takes %d MiB", (most-base)>>20)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func bounded(t *testing.T, base uint64, spool string) {
	t.Helper()
	if now := heap(); now > base+mostHeap {
		t.Fatalf("writing takes %d MiB", (now-base)>>20)
	}
	var size int64
	entries, err := os.ReadDir(spool)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > mostSpool {
		t.Fatalf("the spool takes %d MiB", size>>20)
	}
}
