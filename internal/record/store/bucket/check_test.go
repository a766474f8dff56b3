package bucket_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/s3test"
)

func TestCheckSaysWhatIsWrongWithAStore(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t, s3test.Options{})
	server.Bucket(t, "recordings", false)
	server.Bucket(t, "locked", true)
	for name, c := range map[string]struct {
		change func(*bucket.Config)
		want   string
	}{
		"all is well":             {func(*bucket.Config) {}, ""},
		"all is well, and locked": {func(c *bucket.Config) { c.Bucket, c.LockMode = "locked", bucket.LockCompliance }, ""},
		"no bucket":               {func(c *bucket.Config) { c.Bucket = "missing" }, "there is no bucket missing"},
		"a wrong key":             {func(c *bucket.Config) { c.Credentials = bucket.Static(server.AccessKey, "wrong", "") }, "check the store's credentials"},
		"an unknown key":          {func(c *bucket.Config) { c.Credentials = bucket.Static("wrong", "wrong", "") }, "No user exists"},
		"no object lock":          {func(c *bucket.Config) { c.LockMode = bucket.LockGovernance }, "has no object lock"},
		"nobody there":            {func(c *bucket.Config) { c.Endpoint = "https://127.0.0.1:1" }, "connection refused"},
		"a certificate of others": {func(c *bucket.Config) { c.CABundle = nil }, "certificate"},
		"another name's certificate": {func(c *bucket.Config) {
			c.Endpoint = strings.Replace(c.Endpoint, "127.0.0.1", "127.0.0.2", 1)
			c.Dial = to(server.Address)
		}, "certificate is valid for"},
	} {
		config := configOf(server)
		c.change(&config)
		err := open(t, config).Check(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "Signature=") {
			t.Errorf("%s tells too much: %v", name, err)
		}
	}
}

func TestCheckRefusesAStoreThatLetsObjectsBeOverwritten(t *testing.T) {
	t.Parallel()
	careless := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(careless.Close)
	b := open(t, bucket.Config{Endpoint: careless.URL, Bucket: "recordings", Credentials: bucket.Static("a", "b", ""), Retry: quick})
	if err := b.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Error(err)
	}
}

func TestAConfigurationIsCheckedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	good := bucket.Config{Endpoint: "https://s3.example.com", Bucket: "recordings", Credentials: bucket.Static("a", "b", "")}
	for name, change := range map[string]func(*bucket.Config){
		"no scheme":      func(c *bucket.Config) { c.Endpoint = "s3.example.com" },
		"odd scheme":     func(c *bucket.Config) { c.Endpoint = "ftp://s3.example.com" },
		"a path":         func(c *bucket.Config) { c.Endpoint += "/bucket" },
		"a password":     func(c *bucket.Config) { c.Endpoint = "https://user:hunter2@s3.example.com" },
		"upward prefix":  func(c *bucket.Config) { c.Prefix = "a/../b" },
		"empty step":     func(c *bucket.Config) { c.Prefix = "a//b" },
		"lock mode":      func(c *bucket.Config) { c.LockMode = "forever" },
		"style":          func(c *bucket.Config) { c.Style = "round" },
		"no CA":          func(c *bucket.Config) { c.CABundle = []byte("none") },
		"no credentials": func(c *bucket.Config) { c.Credentials = bucket.Credentials{} },
	} {
		config := good
		change(&config)
		if b, err := bucket.Open(config); err == nil {
			b.Close()
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	open(t, good)
}

func TestABucketIsFoundInTheHostsName(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t, s3test.Options{Domain: "s3.test", ServerNames: []string{"recordings.s3.test"}})
	server.Bucket(t, "recordings", false)
	config := configOf(server)
	_, port, _ := net.SplitHostPort(server.Address)
	config.Endpoint, config.Style, config.Dial = "https://s3.test:"+port, bucket.StyleVirtual, to(server.Address)
	subject := task(t, open(t, config), "task")
	if err := subject.Put(t.Context(), "one/00000001.seg", []byte("x")); err != nil {
		t.Fatal(err)
	}
	places, err := subject.Presign(t.Context(), []string{"one/00000002.seg"}, time.Minute, bucket.Retention{})
	if err != nil || !strings.HasPrefix(places[0].URL, "https://recordings.s3.test:"+port+"/task/one/00000002.seg?") {
		t.Errorf("%v, %v", places, err)
	}
}

// to dials one address, whatever the name.
func to(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}
