// Package bucket keeps recordings in S3-compatible object storage: as
// `<prefix>/<request UID>/<session>/00000001.seg`, written once with If-None-Match.
// It holds the bucket's credential, and is for the manager and the reader; a proxy has
// package presigned.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/wire"
)

// LockMode is how a bucket with object lock keeps objects from being deleted.
type LockMode string

// The lock modes.
const (
	// LockNone asks for no retention.
	LockNone LockMode = ""
	// LockGovernance lets accounts with a special right shorten a retention.
	LockGovernance LockMode = "GOVERNANCE"
	// LockCompliance lets nobody.
	LockCompliance LockMode = "COMPLIANCE"
)

// Style is where the bucket's name stands in a URL.
type Style string

// The styles.
const (
	// StyleAuto is virtual for the stores that are known to want it, else path.
	StyleAuto Style = ""
	// StylePath is https://endpoint/bucket/key.
	StylePath Style = "path"
	// StyleVirtual is https://bucket.endpoint/key.
	StyleVirtual Style = "virtual"
)

// Config of a bucket.
type Config struct {
	// Endpoint is the store's URL, without a path: "https://s3.example.com".
	Endpoint string
	Bucket   string
	// Prefix of every key, a path without slashes at its ends; may be empty.
	Prefix string
	// Region is "us-east-1" if empty.
	Region string
	Style  Style
	// CABundle (PEM) vouches for the store; the system's authorities if empty.
	CABundle []byte
	LockMode LockMode
	// Credentials to sign with: Static or Workload.
	Credentials Credentials
	// Retry bounds what is tried again.
	Retry wire.Retry
	// Idle bounds the wait for the next bytes; 0 is wire.DefaultIdle.
	Idle time.Duration
	// Dial replaces net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

func (c Config) transport() (*http.Transport, error) {
	return wire.Transport(wire.Options{CABundle: c.CABundle, Idle: c.Idle, Dial: c.Dial})
}

// Bucket is the recordings of an installation. It is safe for concurrent use.
type Bucket struct {
	client *minio.Core
	config Config
	// prefix of every key, empty or with a slash at its end.
	prefix string
	closer func()
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)

// Open checks a configuration, and says nothing to the store yet.
func Open(config Config) (*Bucket, error) {
	endpoint, err := url.Parse(config.Endpoint)
	if err != nil || endpoint.Host == "" || (endpoint.Scheme != "https" && endpoint.Scheme != "http") || strings.Trim(endpoint.Path, "/") != "" || endpoint.RawQuery != "" || endpoint.User != nil {
		return nil, fmt.Errorf("the recordings store's endpoint %q is no URL like https://s3.example.com", redacted(endpoint))
	}
	prefix := strings.Trim(config.Prefix, "/")
	if prefix != "" {
		if len(prefix) > 512 || !prefixPattern.MatchString(prefix) {
			return nil, fmt.Errorf("the recordings store's prefix %.64q is none: use letters, digits, '.', '_', '-', and '/' between", prefix)
		}
		prefix += "/"
	}
	switch config.LockMode {
	case LockNone, LockGovernance, LockCompliance:
	default:
		return nil, fmt.Errorf("the recordings store's lock mode %.20q is unknown", config.LockMode)
	}
	if config.Credentials.provider == nil {
		return nil, errors.New("the recordings store has no credentials")
	}
	if config.Region == "" {
		config.Region = "us-east-1"
	}
	if config.Now == nil {
		config.Now = time.Now //nolint:forbidigo // the default of the field
	}
	lookup, err := config.Style.lookup()
	if err != nil {
		return nil, err
	}
	transport, err := config.transport()
	if err != nil {
		return nil, err
	}
	provider, closer, err := config.Credentials.provider(config)
	if err != nil {
		return nil, err
	}
	client, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds: credentials.New(provider), Secure: endpoint.Scheme == "https", Region: config.Region, BucketLookup: lookup, Transport: transport,
		MaxRetries: 1, // wire.Retry has a bound for each attempt, too
	})
	if err != nil {
		return nil, fmt.Errorf("the recordings store: %w", err)
	}
	return &Bucket{client, config, prefix, func() { transport.CloseIdleConnections(); closer() }}, nil
}

// Close gives up the idle connections.
func (b *Bucket) Close() { b.closer() }

// Task is the recordings of one request, whether there are any or not.
func (b *Bucket) Task(requestUID string) (*Task, error) {
	if err := store.CheckIdentifier(requestUID); err != nil {
		return nil, err
	}
	return &Task{bucket: b, prefix: b.prefix + requestUID + "/"}, nil
}

// Check says whether the bucket is there, can be used, locks objects if it has to, and
// honours If-None-Match: a store that does not would let recordings be overwritten.
// It leaves one empty object, "<prefix>/write-once".
func (b *Bucket) Check(ctx context.Context) error {
	return b.config.Retry.Do(ctx, func(ctx context.Context) error {
		if b.config.LockMode != LockNone {
			enabled, _, _, _, err := b.client.GetObjectLockConfig(ctx, b.config.Bucket)
			if code := minio.ToErrorResponse(err).Code; code == "ObjectLockConfigurationNotFoundError" || err == nil && enabled != "Enabled" {
				return wire.Permanent(fmt.Errorf("bucket %s has no object lock: make one that has, or set the lock mode to none", b.config.Bucket))
			}
			if err != nil {
				return b.explain("read the object lock of bucket "+b.config.Bucket, err)
			}
		}
		for range 2 {
			err := b.put(ctx, b.prefix+"write-once", nil)
			if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
				return nil
			}
			if err != nil {
				return b.explain("write to bucket "+b.config.Bucket, err)
			}
		}
		return wire.Permanent(errors.New("the store does not honour If-None-Match: recordings could be overwritten there"))
	})
}

func (s Style) lookup() (minio.BucketLookupType, error) {
	switch s {
	case StyleAuto:
		return minio.BucketLookupAuto, nil
	case StylePath:
		return minio.BucketLookupPath, nil
	case StyleVirtual:
		return minio.BucketLookupDNS, nil
	}
	return 0, fmt.Errorf("the recordings store's style %.20q is neither path nor virtual", string(s))
}

// redacted is an endpoint for an error message: somebody may have put a password in.
func redacted(endpoint *url.URL) string {
	if endpoint == nil {
		return ""
	}
	return endpoint.Scheme + "://" + endpoint.Host
}
