package bucket

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what Content-MD5 (RFC 1864) asks for: against accidents
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/wire"
)

// Task is the recordings of one request.
type Task struct {
	bucket *Bucket
	prefix string
}

var (
	_ store.Store   = (*Task)(nil)
	_ store.Remover = (*Task)(nil)
)

// listLimit bounds the objects of one listing: twice the segments of a session of 100 GB.
const listLimit = 200_000

// Sessions names the sessions that have an object.
func (t *Task) Sessions(ctx context.Context) ([]string, error) {
	var sessions []string
	err := t.list(ctx, minio.ListObjectsOptions{Prefix: t.prefix}, func() { sessions = nil }, func(name string, _ int64) {
		session, isFolder := strings.CutSuffix(name, "/")
		if !isFolder {
			parsed, err := store.ParseName(name)
			if err != nil {
				return
			}
			session = parsed.Session
		}
		if store.CheckIdentifier(session) == nil {
			sessions = append(sessions, session)
		}
	})
	slices.Sort(sessions)
	return slices.Compact(sessions), err
}

// List is the objects of one session, and of its recording in an older format.
func (t *Task) List(ctx context.Context, session string) ([]store.Object, error) {
	if err := store.CheckIdentifier(session); err != nil {
		return nil, err
	}
	var objects []store.Object
	legacy := store.Name{Session: session, Kind: store.KindLegacy}.String()
	for _, prefix := range []string{legacy, session + "/"} {
		known := len(objects)
		err := t.list(ctx, minio.ListObjectsOptions{Prefix: t.prefix + prefix}, func() { objects = objects[:known] }, func(name string, size int64) {
			if parsed, err := store.ParseName(name); err == nil && parsed.Session == session {
				objects = append(objects, store.Object{Name: name, Size: size})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("list the recording of session %s: %w", session, fs.ErrNotExist)
	}
	slices.SortFunc(objects, func(a, b store.Object) int { return strings.Compare(a.Name, b.Name) })
	return objects, nil
}

// list calls found for each key without the task's prefix. It calls begin first, and
// again when it has to start anew.
func (t *Task) list(ctx context.Context, options minio.ListObjectsOptions, begin func(), found func(name string, size int64)) error {
	retry := t.bucket.config.Retry
	retry.Timeout = listTimeout
	return retry.Do(ctx, func(ctx context.Context) error {
		begin()
		count := 0
		for object := range t.bucket.client.ListObjectsIter(ctx, t.bucket.config.Bucket, options) {
			if object.Err != nil {
				return t.bucket.explain("list the recordings", object.Err)
			}
			if count++; count > listLimit {
				return wire.Permanent(fmt.Errorf("list the recordings: there are more than %d objects", listLimit))
			}
			found(strings.TrimPrefix(object.Key, t.prefix), object.Size)
		}
		return ctx.Err()
	})
}

// Open reads an object from an offset on. A read that fails leaves its caller to open
// the object again from where it came to.
func (t *Task) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if err := store.CheckOpen(name, offset); err != nil {
		return nil, err
	}
	var options minio.GetObjectOptions
	if offset > 0 {
		options.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	retry := t.bucket.config.Retry
	var body io.ReadCloser
	// The body lives on with ctx: what bounds an attempt must not end it.
	err := retry.Do(ctx, func(context.Context) error {
		var err error
		body, _, _, err = t.bucket.client.GetObject(ctx, t.bucket.config.Bucket, t.prefix+name, options)
		if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
			body, err = io.NopCloser(strings.NewReader("")), nil
		}
		return t.bucket.explain("open "+name, err)
	})
	return body, err
}

// Put stores an object without a retention: Protect gives it one.
func (t *Task) Put(ctx context.Context, name string, content []byte) error {
	if _, err := store.CheckPut(name, content); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	tried := false
	return t.bucket.config.Retry.Do(ctx, func(ctx context.Context) error {
		// A store that has the object may answer before it has read the body, and its
		// answer be lost to the reset that follows: look before trying again.
		if tried {
			if found, err := t.same(ctx, name, content); found || err != nil {
				return err
			}
		}
		tried = true
		err := t.bucket.explain("put "+name, t.bucket.put(ctx, t.prefix+name, content))
		if errors.Is(err, fs.ErrExist) {
			found, compared := t.same(ctx, name, content)
			if found || compared != nil {
				return compared
			}
		}
		return err
	})
}

// same says whether this very content is there already; fs.ErrExist if another is.
func (t *Task) same(ctx context.Context, name string, content []byte) (bool, error) {
	doing := "compare " + name + " with what is there"
	body, _, _, err := t.bucket.client.GetObject(ctx, t.bucket.config.Bucket, t.prefix+name, minio.GetObjectOptions{})
	if err := t.bucket.explain(doing, err); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	there, err := io.ReadAll(io.LimitReader(body, int64(len(content))+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	if !bytes.Equal(there, content) {
		return false, wire.Permanent(fmt.Errorf("put %s: %w", name, fs.ErrExist))
	}
	return true, nil
}

// put is one request. Digests keep a body that was cut from being taken for whole.
func (b *Bucket) put(ctx context.Context, key string, content []byte) error {
	options := minio.PutObjectOptions{ContentType: "application/octet-stream"}
	options.SetMatchETagExcept("*")
	digest, sha := md5.Sum(content), sha256.Sum256(content) //nolint:gosec // see the import
	_, err := b.client.PutObject(ctx, b.config.Bucket, key, bytes.NewReader(content), int64(len(content)),
		base64.StdEncoding.EncodeToString(digest[:]), hex.EncodeToString(sha[:]), options)
	return err
}
