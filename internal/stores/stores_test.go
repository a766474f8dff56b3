package stores

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var whole = map[string]string{
	KeyKind: "S3", KeyEndpoint: "https://s3.example.org", KeyBucket: "recordings",
}

func with(pairs ...string) map[string]string {
	data := maps.Clone(whole)
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = pairs[i+1]
	}
	return data
}

func TestAStoreIsReadFromItsConfigMap(t *testing.T) {
	t.Parallel()
	got, err := Parse("archive", with(KeyPrefix, "prod/eu", KeyRegion, "eu-central-1", KeyLockMode, "governance",
		KeyAddressing, "virtual", KeyCredentials, "workload", KeyEgress, "192.0.2.0/24\n2001:db8::/32"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Bucket{
		Name: "archive", Endpoint: &url.URL{Scheme: "https", Host: "s3.example.org"}, Bucket: "recordings", Prefix: "prod/eu",
		Region: "eu-central-1", Lock: LockGovernance, Workload: true,
		Egress: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("store (-want +got):\n%s", diff)
	}
	if got.Port() != 443 || got.DialHost() != "recordings.s3.example.org" {
		t.Errorf("it is dialled at %s:%d", got.DialHost(), got.Port())
	}
}

func TestALocalEndpointHasItsPort(t *testing.T) {
	t.Parallel()
	for endpoint, port := range map[string]int32{"http://192.0.2.1:9000": 9000, "http://192.0.2.1": 80, "https://[2001:db8::1]:7480/": 7480} {
		got, err := Parse("archive", with(KeyEndpoint, endpoint))
		if err != nil || got.Port() != port || !got.PathStyle || got.DialHost() != got.Host() {
			t.Errorf("%s: %+v %v, want port %d", endpoint, got, err, port)
		}
	}
}

func TestWhatIsWrongWithAStoreIsSaidByKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		data map[string]string
		want string
	}{
		"nothing at all":         {nil, KeyEndpoint},
		"another kind":           {with(KeyKind, "GCS"), "kind must be S3"},
		"a key nobody reads":     {with("lock", "compliance"), "lock is no key of a store"},
		"a lock that is none":    {with(KeyLockMode, "strong"), "lockMode must be none or governance or compliance"},
		"no bucket":              {with(KeyBucket, ""), "bucket must be"},
		"a bucket with a path":   {with(KeyBucket, "a/b"), "bucket must be"},
		"a prefix that climbs":   {with(KeyPrefix, "a/../b"), "prefix must be"},
		"a prefix with slashes":  {with(KeyPrefix, "/a/"), "prefix must be"},
		"an endpoint that is no": {with(KeyEndpoint, "s3.example.org"), "endpoint must be https://HOST"},
		"an endpoint with path":  {with(KeyEndpoint, "https://s3.example.org/x"), "endpoint must be https://HOST"},
		"a password in it":       {with(KeyEndpoint, "https://me:hunter2@s3.example.org"), "endpoint must be https://HOST"},
		"a CA that is none":      {with(KeyCABundle, "trust me"), "caBundle is not PEM"},
		"egress by name":         {with(KeyEgress, "s3.example.org"), "egress must be prefixes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("archive", test.data)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "sallyport-store-archive") {
				t.Fatalf("error %v, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a password: %v", err)
			}
		})
	}
}

func TestACredentialIsWholeAndPrintsNowhere(t *testing.T) {
	t.Parallel()
	if _, err := ParseCredential("archive", map[string][]byte{KeyAccessKeyID: []byte("me")}); err == nil || !strings.Contains(err.Error(), KeySecretAccessKey) {
		t.Errorf("half a credential: %v", err)
	}
	c, err := ParseCredential("archive", map[string][]byte{KeyAccessKeyID: []byte("me\n"), KeySecretAccessKey: []byte("hunter2\n")})
	if err != nil {
		t.Fatal(err)
	}
	if id, secret, _ := c.Reveal(); id != "me" || secret != "hunter2" {
		t.Error("the credential is not what the Secret holds")
	}
	if printed := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(printed, "hunter2") {
		t.Errorf("printed: %s", printed)
	}
}

func TestNamesOfStoresAndTheirObjects(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		"sallyport-store-archive": "archive", "sallyport-store-": "", "sallyport-store-Volume": "",
		"sallyport-store-volume": "", "other": "", "sallyport-recording-keys": "",
	} {
		if got := Name(object); got != want {
			t.Errorf("%s is of store %q, want %q", object, got, want)
		}
	}
	if Of(v1alpha1.RecordingPolicy{}) != "volume" || Of(v1alpha1.RecordingPolicy{Store: "archive"}) != "archive" {
		t.Error("a policy's store is not what it says")
	}
}
