package bucket

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
)

// Presign signs permissions to write objects of the task once, with a retention, valid
// for ttl, 1 s to 7 days; one that was signed with a workload's identity ends with that
// identity's session, so keep it to minutes. Nothing is asked of the store.
func (t *Task) Presign(ctx context.Context, names []string, ttl time.Duration, retention Retention) ([]presigned.Place, error) {
	options, err := t.bucket.protect(retention)
	if err != nil {
		return nil, fmt.Errorf("sign places: %w", err)
	}
	options.SetMatchETagExcept("*")
	options.ContentType = "application/octet-stream"
	signed := options.Header()
	headers := map[string]string{}
	for name := range signed {
		headers[name] = signed.Get(name)
	}
	places := make([]presigned.Place, 0, len(names))
	for _, name := range names {
		if _, err := store.CheckPut(name, nil); err != nil {
			return nil, err
		}
		put, err := t.bucket.client.PresignHeader(ctx, http.MethodPut, t.bucket.config.Bucket, t.prefix+name, ttl, nil, signed)
		if err != nil {
			return nil, t.bucket.explain("sign a place for "+name, err)
		}
		check, err := t.bucket.client.Presign(ctx, http.MethodGet, t.bucket.config.Bucket, t.prefix+name, ttl, nil)
		if err != nil {
			return nil, t.bucket.explain("sign a place for "+name, err)
		}
		places = append(places, presigned.Place{Name: name, URL: put.String(), Headers: headers, Check: check.String()})
	}
	return places, nil
}
