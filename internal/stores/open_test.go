package stores

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
	"github.com/sallyport/sallyport/internal/s3test"
)

// objects are a store's ConfigMap and Secret.
type objects struct {
	client.Reader
	mu     sync.Mutex
	config map[string]string
	secret map[string][]byte
	reader map[string][]byte
	failed error
	reads  int
}

func (o *objects) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	there := key.Namespace == v1alpha1.ProxyNamespace && key.Name == "sallyport-store-archive"
	switch object := object.(type) {
	case *corev1.ConfigMap:
		if there && o.config != nil {
			object.Data = o.config
			return nil
		}
	case *corev1.Secret:
		o.reads++
		if o.failed != nil {
			return o.failed
		}
		if key.Name == "sallyport-store-archive-reader" && o.reader != nil {
			object.Data = o.reader
			return nil
		}
		if there && o.secret != nil {
			object.Data = o.secret
			return nil
		}
	}
	return apierrors.NewNotFound(corev1.Resource("objects"), key.Name)
}

// installed is a store in a real server, with object lock.
func installed(t *testing.T) (*objects, *Bucket, *Buckets, *time.Time) {
	t.Helper()
	server := s3test.Start(t, s3test.Options{})
	server.Bucket(t, "recordings", true)
	there := &objects{
		config: map[string]string{
			KeyKind: "S3", KeyEndpoint: server.Endpoint, KeyBucket: "recordings", KeyPrefix: "production", KeyRegion: server.Region,
			KeyCABundle: string(server.CAPEM), KeyLockMode: string(LockGovernance),
		},
		secret: map[string][]byte{KeyAccessKeyID: []byte(server.AccessKey), KeySecretAccessKey: []byte(server.SecretKey)},
	}
	now := time.Now()
	buckets := &Buckets{Directory: Directory{ConfigMaps: there, Secrets: there}, Now: func() time.Time { return now }}
	config, err := buckets.Directory.Find(t.Context(), "archive")
	if err != nil {
		t.Fatal(err)
	}
	return there, config, buckets, &now
}

const uid = "11111111-2222-3333-4444-555555555555"

func TestAProxyWritesOnceToThePlacesThatAStoreSignsAndTheLockKeepsIt(t *testing.T) {
	t.Parallel()
	_, config, buckets, now := installed(t)
	name := "s-1/00000001.seg"
	places, err := buckets.Presign(t.Context(), config, uid, []string{name, "s-1/00000001.sig"}, config.Keeping(now.Add(time.Hour), false), time.Minute)
	if err != nil || len(places) != 2 {
		t.Fatalf("%d places: %v", len(places), err)
	}
	proxy := presigned.New(presigned.Options{})
	defer proxy.Close()
	if err := proxy.Accept(presigned.Grant{Places: places, CABundle: []byte(config.CABundle), Expires: now.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Put(t.Context(), name, []byte("events")); err != nil {
		t.Fatal(err)
	}
	task, err := buckets.Task(t.Context(), config, uid)
	if err != nil {
		t.Fatal(err)
	}
	if listed, err := task.List(t.Context(), "s-1"); err != nil || len(listed) != 1 || listed[0].Name != name {
		t.Errorf("listed %v: %v", listed, err)
	}
	if err := task.Put(t.Context(), name, []byte("others")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("written again: %v", err)
	}
	if err := task.Remove(t.Context()); !errors.Is(err, store.ErrHeld) {
		t.Errorf("removed before its time: %v", err)
	}
}

func TestACredentialThatIsReplacedIsUsedWithinAMinute(t *testing.T) {
	t.Parallel()
	there, config, buckets, now := installed(t)
	use := func() error {
		task, err := buckets.Task(t.Context(), config, uid)
		if err != nil {
			return err
		}
		_, err = task.Sessions(t.Context())
		return err
	}
	if err := use(); err != nil {
		t.Fatal(err)
	}
	there.mu.Lock()
	there.secret = map[string][]byte{KeyAccessKeyID: []byte("nobody"), KeySecretAccessKey: []byte("hunter2 hunter2")}
	there.mu.Unlock()
	if err := use(); err != nil || there.reads != 1 {
		t.Errorf("within the minute: %v after %d reads", err, there.reads)
	}
	*now = now.Add(2 * credentialAge)
	if err := use(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with a login that is none: %v", err)
	}
}

func TestABucketThatCannotBeUsedIsSaidSo(t *testing.T) {
	t.Parallel()
	_, config, buckets, now := installed(t)
	if err := buckets.Check(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	missing := *config
	missing.Bucket = "not-there"
	if err := buckets.Check(t.Context(), &missing); !isA[*ConfigError](err) {
		t.Errorf("a bucket that is not there: %v", err)
	}
	*now = now.Add(2 * checkAge)
	silent := *config
	silent.Endpoint = &url.URL{Scheme: "https", Host: "127.0.0.1:1"}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := buckets.Check(ctx, &silent); !isA[*ConfigError](err) {
		t.Errorf("a bucket that is silent: %v", err)
	}
}

func TestWhatIsMissingOfAStoreIsSaidWithWhatToDo(t *testing.T) {
	t.Parallel()
	there := &objects{}
	directory := Directory{ConfigMaps: there, Secrets: there}
	for _, name := range []string{"archive", "Not A Name", "../x"} {
		if _, err := directory.Find(t.Context(), name); !isA[*UnknownError](err) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := directory.Find(t.Context(), v1alpha1.StoreVolume); err == nil {
		t.Error("the volume is a bucket")
	}
	there.config = with()
	bucket, err := directory.Find(t.Context(), "archive")
	if err != nil {
		t.Fatal(err)
	}
	for failure, words := range map[error]string{
		nil: "has no Secret",
		apierrors.NewForbidden(corev1.Resource("secrets"), "x", errors.New("no")): "a Role that names it",
	} {
		there.failed = failure
		if _, err := directory.Credential(t.Context(), bucket); !isA[*ConfigError](err) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: %v, want %q", failure, err, words)
		}
	}
	there.failed = errors.New("the API server does not answer")
	if _, err := directory.Credential(t.Context(), bucket); err == nil || isA[*ConfigError](err) {
		t.Errorf("an outage is said to be somebody's to mend: %v", err)
	}
	bucket.Workload = true
	if _, err := directory.Credential(t.Context(), bucket); err != nil {
		t.Errorf("a workload's identity needs a Secret: %v", err)
	}
}

func TestTheReaderTakesALoginOfItsOwnWhereThereIsOne(t *testing.T) {
	t.Parallel()
	login := func(name string) map[string][]byte {
		return map[string][]byte{KeyAccessKeyID: []byte(name), KeySecretAccessKey: []byte("x")}
	}
	there := &objects{config: with(), secret: login("both")}
	directory := Directory{ConfigMaps: there, Secrets: there, Reading: true}
	expect := func(d Directory, want string) {
		t.Helper()
		credential, err := d.Credential(t.Context(), &Bucket{Name: "archive"})
		if id, _, _ := credential.Reveal(); err != nil || id != want {
			t.Errorf("reads as %q: %v, want %q", id, err, want)
		}
	}
	expect(directory, "both")
	there.reader = login("reads")
	expect(directory, "reads")
	expect(Directory{ConfigMaps: there, Secrets: there}, "both")
}

func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
