package taskaccessrequest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/stores"
)

// Locator finds buckets and the addresses that they have.
type Locator interface {
	Find(ctx context.Context, name string) (*stores.Bucket, error)
	Of(ctx context.Context, config *stores.Bucket) ([]netip.Addr, error)
}

// Presigner signs, with a bucket's credential, for the PUT of objects of one task that
// are not there yet.
type Presigner interface {
	Presign(ctx context.Context, config *stores.Bucket, uid string, objects []string, keep bucket.Retention, lives time.Duration) ([]control.Place, error)
}

// placesLive is how long a place can be written to.
const placesLive = 15 * time.Minute

// Places says where a task's proxy may put segments and their signatures: none behind the
// end of a session that is signed. Names begin with the request's UID, which the caller
// does not choose.
func (p *Provider) Places(ctx context.Context, uid, session string, first, count int) (control.Places, error) {
	if err := record.CheckIdentifier(session); err != nil || first < 1 || count < 1 || count > control.MaxPlaces {
		return control.Places{}, unsigned("no places for %d segments from %d on", count, first)
	}
	config, request, err := p.bucketOf(ctx, uid)
	if err != nil {
		return control.Places{}, err
	}
	if end := p.sealedEnd(request, session); end > 0 {
		if int64(first) > end {
			return control.Places{}, unsigned("session %s is signed to its end, segment %d", session, end)
		}
		count = min(count, int(end)-first+1)
	}
	addresses, err := p.reachable(ctx, uid, config)
	if err != nil {
		return control.Places{}, err
	}
	keep, err := p.keeping(ctx, request, config)
	if err != nil {
		return control.Places{}, err
	}
	objects := []string{}
	for segment := first; segment < first+count; segment++ {
		for _, kind := range []store.Kind{store.KindSegment, store.KindSignature} {
			objects = append(objects, store.Name{Session: session, Kind: kind, Number: segment}.String())
		}
	}
	expires := p.Now().Add(placesLive)
	places, err := p.Presign.Presign(ctx, config, uid, objects, keep, placesLive)
	if err != nil {
		return control.Places{}, fmt.Errorf("sign for objects of store %q: %w", config.Name, err)
	}
	return control.Places{Places: places, Addresses: addresses, CABundle: []byte(config.CABundle), Expires: expires}, nil
}

// bucketOf is the bucket that a living request's recordings go to.
func (p *Provider) bucketOf(ctx context.Context, uid string) (*stores.Bucket, *v1alpha1.TaskAccessRequest, error) {
	request, err := p.request(ctx, uid)
	switch {
	case err != nil:
		return nil, nil, err
	case request == nil || request.Status.ClosedAt != nil:
		return nil, nil, unsigned("the request is gone, or closed")
	case request.Status.Recording == nil || request.Status.Recording.Store == "":
		return nil, nil, fmt.Errorf("the store of request %s is not known yet", uid)
	case request.Status.Recording.Store == v1alpha1.StoreVolume:
		return nil, nil, unsigned("the recordings of this task go to the volume")
	}
	config, err := p.Stores.Find(ctx, request.Status.Recording.Store)
	return config, request, err
}

// reachable are the bucket's addresses that the task's network policy lets its proxy
// reach: to be told of others would only cost it a timeout.
func (p *Provider) reachable(ctx context.Context, uid string, config *stores.Bucket) ([]string, error) {
	policy, err := lookup.Find[networkingv1.NetworkPolicy](ctx, p.Client, v1alpha1.ProxyNamespace, manifest.Name(uid))
	if err != nil {
		return nil, err
	}
	found, err := p.Stores.Of(ctx, config)
	if err != nil {
		return nil, err
	}
	open := manifest.StoreEgress(policy)
	addresses := []string{}
	for _, address := range found {
		if slices.ContainsFunc(open, func(prefix netip.Prefix) bool { return prefix.Contains(address) }) {
			addresses = append(addresses, address.String())
		}
	}
	// Another replica's resolver may have heard of others than the leader's, which the policy names.
	for _, prefix := range open {
		if address := prefix.Addr().String(); prefix.IsSingleIP() && !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("the network policy of request %s does not open store %q yet", uid, config.Name)
	}
	return addresses, nil
}

// keeping is what the bucket's lock is to do: as long as the ledger can come to say, for
// the request ends at its expiry at the latest.
func (p *Provider) keeping(ctx context.Context, request *v1alpha1.TaskAccessRequest, config *stores.Bucket) (bucket.Retention, error) {
	if config.Lock == stores.LockNone {
		return bucket.Retention{}, nil
	}
	there, err := lookup.Find[corev1.ConfigMap](ctx, p.Client, v1alpha1.ProxyNamespace, ledger.Name(string(request.UID)))
	if err != nil {
		return bucket.Retention{}, err
	}
	if there == nil {
		return bucket.Retention{}, fmt.Errorf("the ledger's entry of request %s is not there yet", request.UID)
	}
	entry, err := ledger.Parse(there)
	if err != nil {
		return bucket.Retention{}, err
	}
	from := p.Now()
	if expires := request.Status.ExpiresAt; expires != nil && expires.After(from) {
		from = expires.Time
	}
	until := time.Time{}
	if entry.RetentionDays > 0 {
		until = from.Add(time.Duration(entry.RetentionDays) * 24 * time.Hour)
	}
	_, annotated := request.Annotations[v1alpha1.AnnotationLegalHold]
	return config.Keeping(until, annotated || entry.Held() != ""), nil
}
