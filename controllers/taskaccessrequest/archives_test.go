package taskaccessrequest

import (
	"context"
	"crypto/ed25519"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/stores"
)

var recordingKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// archives is one bucket, at addresses that may change, and what was signed for it.
type archives struct {
	mu        sync.Mutex
	addresses []netip.Addr
	lock      stores.LockMode
	signed    []string
	keep      bucket.Retention
}

func (a *archives) move(addresses ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addresses = nil
	for _, address := range addresses {
		a.addresses = append(a.addresses, netip.MustParseAddr(address))
	}
}

func (a *archives) Find(_ context.Context, name string) (*stores.Bucket, error) {
	if name != "archive" {
		return nil, &stores.UnknownError{Name: name}
	}
	found, err := stores.Parse(name, map[string]string{
		stores.KeyKind: "S3", stores.KeyEndpoint: "https://s3.example.org:9000", stores.KeyBucket: "recordings", stores.KeyCABundle: "",
	})
	if err == nil && a.lock != "" {
		found.Lock = a.lock
	}
	return found, err
}

func (a *archives) Of(context.Context, *stores.Bucket) ([]netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.addresses) == 0 {
		return nil, errDown
	}
	return slices.Clone(a.addresses), nil
}

func (a *archives) Egress(ctx context.Context, found *stores.Bucket) ([]netip.Prefix, error) {
	addresses, err := a.Of(ctx, found)
	prefixes := []netip.Prefix{}
	for _, address := range addresses {
		prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
	}
	return prefixes, err
}

func (a *archives) Presign(_ context.Context, _ *stores.Bucket, uid string, objects []string, keep bucket.Retention, _ time.Duration) ([]control.Place, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	places := []control.Place{}
	for _, object := range objects {
		a.signed = append(a.signed, uid+"/"+object)
		places = append(places, control.Place{Name: object, URL: "https://s3.example.org/" + uid + "/" + object})
	}
	a.keep = keep
	return places, nil
}

// record changes how the policy has its tasks recorded, before anybody has been asked.
func (w *world) record(recording v1alpha1.RecordingPolicy) {
	w.t.Helper()
	w.policy.Spec.Recording = recording
	w.must(w.admin.Update(w.t.Context(), w.policy))
	w.policy.Status.Conditions = ready(w.policy.Generation)
	w.must(w.admin.Status().Update(w.t.Context(), w.policy))
}

func (w *world) networkPolicy() *networkingv1.NetworkPolicy {
	w.t.Helper()
	policy := &networkingv1.NetworkPolicy{}
	w.must(w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(string(w.request.UID))}, policy))
	return policy
}

// entry is the ledger's entry of the request, or nil.
func (w *world) entry() *ledger.Entry {
	w.t.Helper()
	config := &corev1.ConfigMap{}
	err := w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: ledger.Name(string(w.request.UID))}, config)
	w.must(client.IgnoreNotFound(err))
	if err != nil {
		return nil
	}
	entry, err := ledger.Parse(config)
	w.must(err)
	return &entry
}
