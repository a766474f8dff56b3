package stores

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
)

// Buckets opens buckets with their credentials, and keeps them open. The manager and the
// reader have one; a proxy never does.
type Buckets struct {
	Directory Directory
	Now       func() time.Time

	mu   sync.Mutex
	open map[string]*opened
}

type opened struct {
	config     Bucket
	credential Credential
	bucket     *bucket.Bucket
	// read is when the credential was, checked when the bucket was found to be usable.
	read, checked time.Time
}

// credentialAge is how long a credential is used before its Secret is read again.
const credentialAge = time.Minute

// checkAge is how long a bucket that could be used is believed to be usable, checkTimeout
// how long it has to show it.
const (
	checkAge     = 10 * time.Minute
	checkTimeout = 20 * time.Second
)

// Check says whether a bucket is there, takes the credential, writes once, and locks if
// it has to. A *ConfigError is the bucket's answer, or its silence.
func (b *Buckets) Check(ctx context.Context, config *Bucket) error {
	known, err := b.get(ctx, config)
	if err != nil {
		return err
	}
	b.mu.Lock()
	usable := !known.checked.IsZero() && b.Now().Sub(known.checked) < checkAge
	b.mu.Unlock()
	if usable {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := known.bucket.Check(ctx); err != nil {
		return misconfigured("store %q cannot be used: %v", config.Name, err)
	}
	b.mu.Lock()
	known.checked = b.Now()
	b.mu.Unlock()
	return nil
}

// Task is one request's recordings in a bucket. Nothing is said to the bucket yet.
func (b *Buckets) Task(ctx context.Context, config *Bucket, uid string) (*bucket.Task, error) {
	known, err := b.get(ctx, config)
	if err != nil {
		return nil, err
	}
	task, err := known.bucket.Task(uid)
	if err != nil {
		return nil, fmt.Errorf("store %q: %w", config.Name, err)
	}
	return task, nil
}

// get opens a bucket, or finds it open as it is configured now.
func (b *Buckets) get(ctx context.Context, config *Bucket) (*opened, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.open[config.Name]
	if known != nil && reflect.DeepEqual(known.config, *config) && b.Now().Sub(known.read) <= credentialAge {
		return known, nil
	}
	return b.reopen(ctx, known, config)
}

func (b *Buckets) reopen(ctx context.Context, known *opened, config *Bucket) (*opened, error) {
	credential, err := b.Directory.Credential(ctx, config)
	if err != nil {
		return nil, err
	}
	if known != nil && known.credential == credential && reflect.DeepEqual(known.config, *config) {
		known.read = b.Now()
		return known, nil
	}
	fresh, err := bucket.Open(b.options(config, credential))
	if err != nil {
		return nil, fmt.Errorf("store %q: %w", config.Name, err)
	}
	if known != nil {
		known.bucket.Close()
	}
	if b.open == nil {
		b.open = map[string]*opened{}
	}
	b.open[config.Name] = &opened{config: *config, credential: credential, bucket: fresh, read: b.Now()}
	return b.open[config.Name], nil
}

func (b *Buckets) options(config *Bucket, credential Credential) bucket.Config {
	options := bucket.Config{
		Endpoint: config.Endpoint.String(), Bucket: config.Bucket, Prefix: config.Prefix, Region: config.Region,
		Style: bucket.StyleVirtual, CABundle: []byte(config.CABundle), Credentials: bucket.Workload(""), Now: b.Now,
	}
	if config.PathStyle {
		options.Style = bucket.StylePath
	}
	switch config.Lock {
	case LockGovernance:
		options.LockMode = bucket.LockGovernance
	case LockCompliance:
		options.LockMode = bucket.LockCompliance
	case LockNone:
	}
	if !config.Workload {
		options.Credentials = bucket.Static(credential.Reveal())
	}
	return options
}

// Presign signs for the PUT of objects that are not there yet.
func (b *Buckets) Presign(ctx context.Context, config *Bucket, uid string, objects []string, keep bucket.Retention, lives time.Duration) ([]presigned.Place, error) {
	task, err := b.Task(ctx, config, uid)
	if err != nil {
		return nil, err
	}
	return task.Presign(ctx, objects, lives, keep)
}
