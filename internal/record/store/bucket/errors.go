package bucket

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/wire"
)

// explain says what a store's error means, and whether trying again may help.
func (b *Bucket) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL, and what may be signed in it
	}
	said := minio.ToErrorResponse(err)
	wrap := func(cause error) error {
		return wire.Permanent(fmt.Errorf("%s: %w (the store answers %d %s)", doing, cause, said.StatusCode, said.Code))
	}
	switch {
	case said.Code == minio.NoSuchBucket:
		return wrap(fmt.Errorf("there is no bucket %s: make it", b.config.Bucket))
	case said.Code == minio.NoSuchKey || said.Code == minio.NoSuchVersion:
		return wrap(fs.ErrNotExist)
	case said.StatusCode == http.StatusPreconditionFailed:
		return wrap(fs.ErrExist)
	case said.StatusCode == http.StatusForbidden || said.StatusCode == http.StatusUnauthorized:
		return wrap(fmt.Errorf("%w: check the store's credentials and their rights on bucket %s", fs.ErrPermission, b.config.Bucket))
	case said.StatusCode == http.StatusInsufficientStorage:
		return wrap(store.ErrFull)
	case said.StatusCode >= 400 && said.StatusCode < 500 && !again(said.StatusCode):
		return wire.Permanent(fmt.Errorf("%s: %w", doing, err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// again: 409 is two conditional writes at once, the others are asked to wait.
func again(status int) bool {
	return status == http.StatusConflict || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}
