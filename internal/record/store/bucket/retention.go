package bucket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/wire"
)

const (
	// listTimeout bounds one listing of all pages; each page is bounded by itself.
	listTimeout = 5 * time.Minute
	// versionsLimit bounds what Remove and Protect hold at once.
	versionsLimit = 1_000_000
)

// Retention keeps objects from being deleted. It needs a bucket with object lock.
type Retention struct {
	// Until is when objects may be deleted; zero is at any time.
	Until time.Time
	// LegalHold keeps objects until it is lifted.
	LegalHold bool
}

// errNoLock is what a retention that nobody would keep ends with.
var errNoLock = errors.New("a retention or legal hold needs a bucket with object lock, and a lock mode")

// protect is a retention as options of a new object.
func (b *Bucket) protect(retention Retention) (minio.PutObjectOptions, error) {
	var options minio.PutObjectOptions
	if retention == (Retention{}) {
		return options, nil
	}
	if b.config.LockMode == LockNone {
		return options, errNoLock
	}
	if retention.Until.After(b.config.Now()) {
		options.Mode = minio.RetentionMode(b.config.LockMode)
		options.RetainUntilDate = retention.Until.UTC().Truncate(time.Second)
	}
	if retention.LegalHold {
		options.LegalHold = minio.LegalHoldEnabled
	}
	return options, nil
}

// Protect gives all objects of the task that there are a retention, which can only
// grow, and sets or lifts their legal hold. It is idempotent.
func (t *Task) Protect(ctx context.Context, retention Retention) error {
	options, err := t.bucket.protect(retention)
	if err != nil {
		return fmt.Errorf("protect the recordings: %w", err)
	}
	if t.bucket.config.LockMode == LockNone {
		return nil
	}
	hold := minio.LegalHoldDisabled
	if retention.LegalHold {
		hold = minio.LegalHoldEnabled
	}
	return t.versions(ctx, func(ctx context.Context, object minio.ObjectInfo) error {
		if object.IsDeleteMarker {
			return nil
		}
		if options.Mode != "" {
			if err := t.extend(ctx, object, options); err != nil {
				return t.bucket.explain("protect "+object.Key, err)
			}
		}
		err := t.bucket.client.PutObjectLegalHold(ctx, t.bucket.config.Bucket, object.Key,
			minio.PutObjectLegalHoldOptions{VersionID: object.VersionID, Status: &hold})
		return t.bucket.explain("set the legal hold of "+object.Key, err)
	})
}

// extend leaves a retention that ends later as it is.
func (t *Task) extend(ctx context.Context, object minio.ObjectInfo, options minio.PutObjectOptions) error {
	has, err := t.retentionOf(ctx, object)
	if err != nil || !has.Until.Before(options.RetainUntilDate) {
		return err
	}
	return t.bucket.client.PutObjectRetention(ctx, t.bucket.config.Bucket, object.Key, minio.PutObjectRetentionOptions{
		VersionID: object.VersionID, Mode: &options.Mode, RetainUntilDate: &options.RetainUntilDate,
	})
}

// retentionOf is what keeps a version, as its header says: stores disagree about the
// XML of GetObjectRetention.
func (t *Task) retentionOf(ctx context.Context, object minio.ObjectInfo) (Retention, error) {
	info, err := t.bucket.client.StatObject(ctx, t.bucket.config.Bucket, object.Key, minio.StatObjectOptions{VersionID: object.VersionID})
	if err != nil {
		return Retention{}, err
	}
	has := Retention{LegalHold: info.Metadata.Get("X-Amz-Object-Lock-Legal-Hold") == string(minio.LegalHoldEnabled)}
	if until := info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"); until != "" {
		has.Until, err = time.Parse(time.RFC3339, until)
	}
	return has, err
}

// Remove deletes all versions of all objects of the task: on a versioned bucket a
// plain delete would only hide them.
func (t *Task) Remove(ctx context.Context) error {
	var held error
	err := t.versions(ctx, func(ctx context.Context, object minio.ObjectInfo) error {
		err := t.bucket.client.RemoveObject(ctx, t.bucket.config.Bucket, object.Key, minio.RemoveObjectOptions{VersionID: object.VersionID})
		if err != nil && t.held(ctx, object) {
			held = fmt.Errorf("remove %s: %w", object.Key, store.ErrHeld)
			return nil
		}
		return t.bucket.explain("remove "+object.Key, err)
	})
	return errors.Join(err, held)
}

// held asks why a version could not be deleted.
func (t *Task) held(ctx context.Context, object minio.ObjectInfo) bool {
	has, err := t.retentionOf(ctx, object)
	return err == nil && (has.LegalHold || has.Until.After(t.bucket.config.Now()))
}

// versions calls do for every version of every object of the task; each with the
// bucket's retries. The list is made first: deleting while listing skips some.
func (t *Task) versions(ctx context.Context, do func(context.Context, minio.ObjectInfo) error) error {
	retry := t.bucket.config.Retry
	listing := retry
	listing.Timeout = listTimeout
	var versions []minio.ObjectInfo
	err := listing.Do(ctx, func(ctx context.Context) error {
		versions = nil
		for object := range t.bucket.client.ListObjectsIter(ctx, t.bucket.config.Bucket, minio.ListObjectsOptions{Prefix: t.prefix, Recursive: true, WithVersions: true}) {
			if object.Err != nil {
				return t.bucket.explain("list the recordings", object.Err)
			}
			if len(versions) == versionsLimit {
				return wire.Permanent(fmt.Errorf("list the recordings: there are more than %d objects", versionsLimit))
			}
			versions = append(versions, minio.ObjectInfo{Key: object.Key, VersionID: object.VersionID, IsDeleteMarker: object.IsDeleteMarker})
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	var errs error
	for _, object := range versions {
		err := retry.Do(ctx, func(ctx context.Context) error { return do(ctx, object) })
		if ctx.Err() != nil {
			return errors.Join(errs, ctx.Err())
		}
		if err != nil && errs == nil {
			errs = err
		}
	}
	return errs
}
