package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/record/store/conformance"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
	"github.com/sallyport/sallyport/internal/record/store/wire"
	"github.com/sallyport/sallyport/internal/s3test"
)

func TestABucketConforms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options s3test.Options
		lock    bool
		prefix  string
	}{
		"over TLS":                          {},
		"over plain HTTP, below a prefix":   {options: s3test.Options{Plain: true}, prefix: "some/where"},
		"with object lock and its versions": {lock: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := s3test.Start(t, c.options)
			server.Bucket(t, "recordings", c.lock)
			config := configOf(server)
			config.Prefix = c.prefix
			conform(t, server, config, 1001, func(task *bucket.Task) store.Writer { return task })
		})
	}
}

func TestPresignedPlacesConform(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]bool{"without object lock": false, "with object lock": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := s3test.Start(t, s3test.Options{})
			server.Bucket(t, "recordings", lock)
			conform(t, server, configOf(server), 0, func(task *bucket.Task) store.Writer {
				places := presigned.New(presigned.Options{Retry: quick})
				t.Cleanup(places.Close)
				return granting{task, places, presigned.Grant{CABundle: server.CAPEM}}
			})
		})
	}
}

// granting asks for a place when it needs one, as a proxy does.
type granting struct {
	task   *bucket.Task
	places *presigned.Store
	grant  presigned.Grant
}

func (g granting) Put(ctx context.Context, name string, content []byte) error {
	for {
		err := g.put(ctx, name, content)
		// Another writer of the same object has used the place up.
		if !errors.Is(err, store.ErrExpired) || ctx.Err() != nil {
			return err
		}
	}
}

func (g granting) put(ctx context.Context, name string, content []byte) error {
	grant := g.grant
	var err error
	if grant.Places, err = g.task.Presign(ctx, []string{name}, time.Minute, bucket.Retention{}); err == nil {
		grant.Expires = time.Now().Add(time.Minute)
		if err := g.places.Accept(grant); err != nil {
			return err
		}
	}
	return g.places.Put(ctx, name, content)
}

var quick = wire.Retry{First: time.Millisecond, Most: 10 * time.Millisecond}

func configOf(server *s3test.Server) bucket.Config {
	return bucket.Config{
		Endpoint: server.Endpoint, Bucket: "recordings", Region: server.Region, CABundle: server.CAPEM,
		Credentials: bucket.Static(server.AccessKey, server.SecretKey, ""), Retry: quick,
	}
}

func open(t testing.TB, config bucket.Config) *bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func task(t testing.TB, b *bucket.Bucket, uid string) *bucket.Task {
	t.Helper()
	task, err := b.Task(uid)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func conform(t *testing.T, server *s3test.Server, config bucket.Config, many int, writer func(*bucket.Task) store.Writer) {
	b, client := open(t, config), server.Client(t)
	prefix := config.Prefix
	if prefix != "" {
		prefix += "/"
	}
	var number atomic.Int64
	// In a group: the server lives until all of them are done.
	t.Run("store", func(t *testing.T) {
		conformance.Run(t, func(t *testing.T) conformance.Subject {
			uid := fmt.Sprintf("task-%d", number.Add(1))
			subject := task(t, b, uid)
			return conformance.Subject{
				Reader: subject, Writer: writer(subject), Remover: subject, Another: task(t, b, uid+"0"), Many: many,
				Plant: func(t *testing.T, name string, content []byte) {
					t.Helper()
					key := prefix + uid + "/" + name
					if _, err := client.PutObject(t.Context(), config.Bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
						t.Fatal(err)
					}
				},
			}
		})
	})
}

func BenchmarkPut(b *testing.B) {
	server := s3test.Start(b, s3test.Options{})
	server.Bucket(b, "recordings", false)
	subject := task(b, open(b, configOf(server)), "task")
	b.Run("with the credential", func(b *testing.B) { conformance.Measure(b, subject) })
	b.Run("presigned", func(b *testing.B) {
		places := presigned.New(presigned.Options{})
		b.Cleanup(places.Close)
		conformance.Measure(b, granting{task(b, open(b, configOf(server)), "other"), places, presigned.Grant{CABundle: server.CAPEM}})
	})
}
