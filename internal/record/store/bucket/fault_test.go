package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
	"github.com/sallyport/sallyport/internal/s3test"
)

// world is a bucket behind a front, and a way around it.
type world struct {
	front  *s3test.Front
	bucket *bucket.Bucket
	direct *bucket.Bucket
	caPEM  []byte
}

func newWorld(t *testing.T) world {
	t.Helper()
	server := s3test.Start(t, s3test.Options{})
	server.Bucket(t, "recordings", false)
	front := server.Front(t)
	config := configOf(server)
	direct := open(t, config)
	config.Endpoint, config.Idle = front.Endpoint, idle
	return world{front, open(t, config), direct, server.CAPEM}
}

// idle is what a store that stalls is given.
const idle = 500 * time.Millisecond

// writers are the ways to write to a task through the front.
func (w world) writers(t *testing.T, uid string) map[string]store.Writer {
	t.Helper()
	places := presigned.New(presigned.Options{Retry: quick, Idle: idle})
	t.Cleanup(places.Close)
	return map[string]store.Writer{
		"credential": task(t, w.bucket, uid+"-credential"),
		"presigned":  granting{task(t, w.bucket, uid+"-presigned"), places, presigned.Grant{CABundle: w.caPEM}},
	}
}

// puts makes a fault of so many PUTs first.
func puts(fault s3test.Fault, times int) func(s3test.Call) s3test.Fault {
	return func(call s3test.Call) s3test.Fault {
		if call.Method != http.MethodPut || times == 0 {
			return s3test.Pass
		}
		times--
		return fault
	}
}

var faults = map[string]s3test.Fault{
	"500": s3test.InternalError, "503": s3test.SlowDown, "409": s3test.Conflict, "reset": s3test.Reset, "stall": s3test.Stall,
	"cut": s3test.CutRequest, "lost": s3test.LostResponse, "stalled": s3test.StallResponse,
}

func TestREC1_AFaultOfTheStoreIsRidden(t *testing.T) {
	t.Parallel()
	for fault, kind := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for name, writer := range w.writers(t, "task") {
				w.front.Rule(puts(kind, 2))
				content := bytes.Repeat([]byte(fault), 50_000)
				if err := writer.Put(t.Context(), "one/00000001.seg", content); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				in, err := task(t, w.direct, "task-"+name).Open(t.Context(), "one/00000001.seg", 0)
				if err != nil {
					t.Fatal(err)
				}
				if there, err := io.ReadAll(in); err != nil || !bytes.Equal(there, content) {
					t.Errorf("%s: %d bytes, %v", name, len(there), err)
				}
				_ = in.Close()
				w.front.Rule(puts(kind, 1))
				if err := writer.Put(t.Context(), "one/00000001.seg", []byte("other")); !errors.Is(err, fs.ErrExist) {
					t.Errorf("%s: other bytes: %v", name, err)
				}
			}
		})
	}
}

func TestREC1_AFaultThatStaysIsAnErrorInBoundedTime(t *testing.T) {
	t.Parallel()
	for fault, kind := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for name, writer := range w.writers(t, "task") {
				w.front.Rule(func(s3test.Call) s3test.Fault { return kind })
				begin := time.Now()
				err := writer.Put(t.Context(), "one/00000001.seg", []byte("x"))
				if err == nil || errors.Is(err, fs.ErrExist) || time.Since(begin) > 20*time.Second {
					t.Errorf("%s: %v after %v", name, err, time.Since(begin))
					continue
				}
				if text := err.Error(); strings.Contains(text, "Signature") || strings.Contains(text, "throwaway") {
					t.Errorf("%s: the error tells too much: %v", name, err)
				}
			}
		})
	}
}

func TestAStalledStoreIsLeftWhenTheCallerGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, writer := range w.writers(t, "task") {
		ctx, cancel := context.WithCancel(t.Context())
		w.front.Rule(func(call s3test.Call) s3test.Fault {
			if call.Method == http.MethodPut {
				cancel()
				return s3test.Stall
			}
			return s3test.Pass
		})
		if err := writer.Put(ctx, "one/00000001.seg", []byte("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadingRidesFaultsAndTellsWhatIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := task(t, w.bucket, "task")
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	if err := subject.Put(t.Context(), "one/00000001.seg", content); err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]s3test.Fault{"500": s3test.InternalError, "503": s3test.SlowDown, "reset": s3test.Reset, "stall": s3test.Stall} {
		for range 2 {
			times := 2
			w.front.Rule(func(s3test.Call) s3test.Fault {
				if times--; times < 0 {
					return s3test.Pass
				}
				return fault
			})
			if objects, err := subject.List(t.Context(), "one"); err != nil || len(objects) != 1 {
				t.Errorf("list, %s: %v, %v", name, objects, err)
			}
			times = 2
			in, err := subject.Open(t.Context(), "one/00000001.seg", 10)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if there, err := io.ReadAll(in); err != nil || len(there) != len(content)-10 {
				t.Errorf("open, %s: %d bytes, %v", name, len(there), err)
			}
			_ = in.Close()
		}
	}
	w.front.Rule(func(s3test.Call) s3test.Fault { return s3test.CutResponse })
	in, err := subject.Open(t.Context(), "one/00000001.seg", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if there, err := io.ReadAll(in); err == nil || len(there) == len(content) {
		t.Errorf("what was cut is taken for whole: %d bytes, %v", len(there), err)
	}
}

func TestAStoreThatComesBackIsUsedAgain(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t, s3test.Options{})
	server.Bucket(t, "recordings", false)
	subject := task(t, open(t, configOf(server)), "task")
	if err := subject.Put(t.Context(), "one/00000001.seg", []byte("x")); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if err := subject.Put(t.Context(), "one/00000002.seg", []byte("x")); err == nil {
		t.Fatal("a dead store took an object")
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := subject.Put(t.Context(), "one/00000002.seg", []byte("x")); err != nil {
		t.Error(err)
	}
	if objects, err := subject.List(t.Context(), "one"); err != nil || len(objects) != 2 {
		t.Errorf("%v, %v", objects, err)
	}
}
