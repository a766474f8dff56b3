package bucket_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
	"github.com/sallyport/sallyport/internal/s3test"
)

// locked is a server with a bucket that locks objects.
func locked(t *testing.T) (*s3test.Server, bucket.Config) {
	t.Helper()
	server := s3test.Start(t, s3test.Options{})
	server.Bucket(t, "recordings", true)
	config := configOf(server)
	config.LockMode = bucket.LockCompliance
	return server, config
}

// protection is what the server says of the first segment.
func protection(t *testing.T, server *s3test.Server) (mode, until, hold string) {
	t.Helper()
	info, err := server.Client(t).StatObject(t.Context(), "recordings", "task/one/00000001.seg", minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info.Metadata.Get("X-Amz-Object-Lock-Mode"), info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"), info.Metadata.Get("X-Amz-Object-Lock-Legal-Hold")
}

func TestWhatIsRetainedIsNotRemovedBefore(t *testing.T) {
	t.Parallel()
	server, config := locked(t)
	config.LockMode = bucket.LockGovernance
	subject := task(t, open(t, config), "task")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if err := errors.Join(
		subject.Put(t.Context(), "one/00000001.seg", []byte("kept")),
		subject.Protect(t.Context(), bucket.Retention{Until: until}),
		subject.Put(t.Context(), "one/00000002.seg", []byte("free")),
	); err != nil {
		t.Fatal(err)
	}
	if mode, when, _ := protection(t, server); mode != "GOVERNANCE" || when != until.Format(time.RFC3339) {
		t.Errorf("%s until %s", mode, when)
	}
	if err := subject.Remove(t.Context()); !errors.Is(err, store.ErrHeld) {
		t.Errorf("removed: %v", err)
	}
	objects, err := subject.List(t.Context(), "one")
	if err != nil || len(objects) != 1 || objects[0].Name != "one/00000001.seg" {
		t.Errorf("left: %v, %v", objects, err)
	}
}

func TestALegalHoldIsSetAndLiftedLater(t *testing.T) {
	t.Parallel()
	_, config := locked(t)
	subject := task(t, open(t, config), "task")
	if err := subject.Put(t.Context(), "one/00000001.seg", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := subject.Protect(t.Context(), bucket.Retention{LegalHold: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := subject.Remove(t.Context()); !errors.Is(err, store.ErrHeld) {
		t.Errorf("removed: %v", err)
	}
	if err := subject.Protect(t.Context(), bucket.Retention{}); err != nil {
		t.Fatal(err)
	}
	if err := subject.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	if sessions, err := subject.Sessions(t.Context()); err != nil || len(sessions) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
}

func TestARetentionIsExtendedAndNeverShortened(t *testing.T) {
	t.Parallel()
	server, config := locked(t)
	subject := task(t, open(t, config), "task")
	late := time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second)
	if err := subject.Put(t.Context(), "one/00000001.seg", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ until, want time.Time }{{late.Add(-time.Hour), late.Add(-time.Hour)}, {late, late}, {late.Add(-time.Minute), late}} {
		if err := subject.Protect(t.Context(), bucket.Retention{Until: step.until}); err != nil {
			t.Fatal(err)
		}
		if _, when, _ := protection(t, server); when != step.want.Format(time.RFC3339) {
			t.Errorf("after %v: %s", step.until, when)
		}
	}
}

func TestAPresignedPlaceHasTheRetentionThatItsWriterCannotChange(t *testing.T) {
	t.Parallel()
	server, config := locked(t)
	subject := task(t, open(t, config), "task")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	granted, err := subject.Presign(t.Context(), []string{"one/00000001.seg"}, time.Minute, bucket.Retention{Until: until, LegalHold: true})
	if err != nil {
		t.Fatal(err)
	}
	put := func(places []presigned.Place) error {
		s := presigned.New(presigned.Options{Retry: quick})
		defer s.Close()
		return errors.Join(
			s.Accept(presigned.Grant{Places: places, CABundle: server.CAPEM, Expires: time.Now().Add(time.Minute)}),
			s.Put(t.Context(), "one/00000001.seg", []byte("kept")))
	}
	for name := range granted[0].Headers {
		if strings.EqualFold(name, "Content-Type") {
			continue
		}
		without := granted[0]
		without.Headers = map[string]string{}
		for other, value := range granted[0].Headers {
			if other != name {
				without.Headers[other] = value
			}
		}
		if err := put([]presigned.Place{without}); !errors.Is(err, store.ErrExpired) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if err := put(granted); err != nil {
		t.Fatal(err)
	}
	if mode, when, hold := protection(t, server); mode != "COMPLIANCE" || when != until.Format(time.RFC3339) || hold != "ON" {
		t.Errorf("%s until %s, hold %s", mode, when, hold)
	}
	if err := subject.Remove(t.Context()); !errors.Is(err, store.ErrHeld) {
		t.Errorf("removed: %v", err)
	}
}

func TestARetentionThatNobodyWouldKeepIsRefused(t *testing.T) {
	t.Parallel()
	b := open(t, bucket.Config{Endpoint: "http://127.0.0.1:1", Bucket: "recordings", Credentials: bucket.Static("a", "b", "")})
	retention := bucket.Retention{LegalHold: true}
	subject := task(t, b, "task")
	_, errPlaces := subject.Presign(t.Context(), []string{"one/00000001.seg"}, time.Minute, retention)
	for _, err := range []error{subject.Protect(t.Context(), retention), errPlaces} {
		if err == nil || !strings.Contains(err.Error(), "object lock") {
			t.Error(err)
		}
	}
}
