// Package stores reads how the installation's stores of recordings are configured: a
// ConfigMap and a Secret of one name in the proxies' namespace for each bucket. The
// manager and the reader find and open them by it.
package stores

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
)

// ObjectName is the name of a store's ConfigMap and Secret.
func ObjectName(store string) string { return v1alpha1.StorePrefix + store }

// Name is the store that a ConfigMap of that name configures, or "".
func Name(object string) string {
	name, ok := strings.CutPrefix(object, v1alpha1.StorePrefix)
	if !ok || !namePattern.MatchString(name) || name == v1alpha1.StoreVolume {
		return ""
	}
	return name
}

// Of is the store that a policy means: the volume where it names none.
func Of(recording v1alpha1.RecordingPolicy) string {
	if recording.Store == "" {
		return v1alpha1.StoreVolume
	}
	return recording.Store
}

// Keys of a store's ConfigMap, and of its Secret.
const (
	KeyKind        = "kind"
	KeyEndpoint    = "endpoint"
	KeyBucket      = "bucket"
	KeyPrefix      = "prefix"
	KeyRegion      = "region"
	KeyCABundle    = "caBundle"
	KeyAddressing  = "addressing"
	KeyLockMode    = "lockMode"
	KeyCredentials = "credentials"
	KeyEgress      = "egress"

	KeyAccessKeyID     = "accessKeyID"
	KeySecretAccessKey = "secretAccessKey"
	KeySessionToken    = "sessionToken"
)

// LockMode is how the bucket's object lock keeps what is written.
type LockMode string

// The lock modes. Governance lets a holder of a right of the bucket's remove objects
// early, Compliance nobody.
const (
	LockNone       LockMode = "none"
	LockGovernance LockMode = "governance"
	LockCompliance LockMode = "compliance"
)

// Bucket is an S3-compatible store as its ConfigMap describes it.
type Bucket struct {
	// Name of the store: what policies say.
	Name string
	// Endpoint is scheme, host and port: https://s3.eu-central-1.amazonaws.com.
	Endpoint *url.URL
	Bucket   string
	// Prefix is in front of every object's name, without slashes at its ends; may be empty.
	Prefix string
	Region string
	// CABundle is PEM of who vouches for the endpoint; empty means the public authorities.
	CABundle string
	// PathStyle puts the bucket into the path rather than into the host's name.
	PathStyle bool
	Lock      LockMode
	// Workload takes the credential from the pod's own identity, not from a Secret.
	Workload bool
	// Egress is where proxies may connect to for it, in place of the addresses that its
	// host resolves to.
	Egress []netip.Prefix
}

// Host is the endpoint's name or address, Port its port.
func (b *Bucket) Host() string { return b.Endpoint.Hostname() }

// Port of the endpoint.
func (b *Bucket) Port() int32 {
	if port, err := strconv.ParseUint(b.Endpoint.Port(), 10, 16); err == nil {
		return int32(port)
	}
	if b.Endpoint.Scheme == "http" {
		return 80
	}
	return 443
}

// DialHost is the name under which objects are reached: the bucket's own where it is
// part of it.
func (b *Bucket) DialHost() string {
	if b.PathStyle {
		return b.Host()
	}
	return b.Bucket + "." + b.Host()
}

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)
	regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
)

// Parse reads the ConfigMap of a store. Its error names every key that is wrong, and
// what it may hold.
func Parse(name string, data map[string]string) (*Bucket, error) {
	p := parser{data: data}
	p.known()
	p.choice(KeyKind, "", "S3")
	b := &Bucket{
		Name: name, Bucket: p.matching(KeyBucket, bucketPattern, "a bucket's name", true),
		Prefix:    p.matching(KeyPrefix, prefixPattern, "words with / between them, none at the ends", false),
		Region:    p.matching(KeyRegion, regionPattern, "a region: eu-central-1", false),
		PathStyle: p.choice(KeyAddressing, "path", "path", "virtual") == "path",
		Lock:      LockMode(p.choice(KeyLockMode, string(LockNone), string(LockNone), string(LockGovernance), string(LockCompliance))),
		Workload:  p.choice(KeyCredentials, "secret", "secret", "workload") == "workload",
		CABundle:  data[KeyCABundle],
	}
	if b.CABundle != "" && !strings.Contains(b.CABundle, "-----BEGIN CERTIFICATE-----") {
		p.fail(KeyCABundle, "is not PEM")
	}
	b.Endpoint = p.endpoint()
	b.Egress = p.egress()
	if len(p.wrong) > 0 {
		return nil, misconfigured("ConfigMap %s/%s: %s", v1alpha1.ProxyNamespace, ObjectName(name), strings.Join(p.wrong, "; "))
	}
	return b, nil
}

// Keeping is what can be asked of the bucket's lock: nothing where it has none.
func (b *Bucket) Keeping(until time.Time, hold bool) bucket.Retention {
	if b.Lock == LockNone {
		return bucket.Retention{}
	}
	return bucket.Retention{Until: until, LegalHold: hold}
}
