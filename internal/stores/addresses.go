package stores

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Lookup resolves a name, as *net.Resolver does.
type Lookup interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Addresses remembers where buckets are. Large services answer every question with a
// few of many addresses: those of the last hour stay good, so that a network policy
// need not change with every answer.
type Addresses struct {
	Lookup Lookup
	Now    func() time.Time

	mu    sync.Mutex
	hosts map[string]*host
}

type host struct {
	asked time.Time
	seen  map[netip.Addr]time.Time
}

const (
	lookupTimeout = 5 * time.Second
	// freshFor is how long an answer is not asked for again, goodFor how long an address
	// stays in.
	freshFor = 15 * time.Second
	goodFor  = time.Hour
	// maxAddresses bounds a network policy: the newest stay.
	maxAddresses = 64
)

// Of is where a bucket is, sorted. Proxies have no resolver: it is theirs. A resolver's
// outage leaves what is known.
func (a *Addresses) Of(ctx context.Context, bucket *Bucket) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(bucket.Host()); err == nil && bucket.PathStyle {
		return checked(bucket, []netip.Addr{literal})
	}
	name := bucket.DialHost()
	known, fresh := a.known(name)
	if fresh {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := a.Lookup.LookupNetIP(ctx, "ip", name)
	if err == nil && len(found) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		if len(known) > 0 {
			return known, nil
		}
		return nil, fmt.Errorf("store %q: look up %s: %w", bucket.Name, name, err)
	}
	if found, err = checked(bucket, found); err != nil {
		return nil, err
	}
	return a.learn(name, found), nil
}

// checked refuses what a proxy could never reach as another machine's.
func checked(bucket *Bucket, found []netip.Addr) ([]netip.Addr, error) {
	out := make([]netip.Addr, 0, len(found))
	for _, address := range found {
		address = address.Unmap()
		if !address.IsGlobalUnicast() || address.Zone() != "" {
			return nil, fmt.Errorf("store %q: its host is at %s, which no pod reaches as a store", bucket.Name, address)
		}
		out = append(out, address)
	}
	return out, nil
}

func (a *Addresses) known(name string) (known []netip.Addr, fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.hosts[name]
	if h == nil {
		return nil, false
	}
	return h.addresses(a.Now()), a.Now().Sub(h.asked) < freshFor
}

func (a *Addresses) learn(name string, found []netip.Addr) []netip.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hosts == nil {
		a.hosts = map[string]*host{}
	}
	h := a.hosts[name]
	if h == nil {
		h = &host{seen: map[netip.Addr]time.Time{}}
		a.hosts[name] = h
	}
	h.asked = a.Now()
	for _, address := range found {
		h.seen[address] = h.asked
	}
	return h.addresses(h.asked)
}

// addresses are those that are good still, in a stable order.
func (h *host) addresses(now time.Time) []netip.Addr {
	good := []netip.Addr{}
	for address, at := range h.seen {
		if now.Sub(at) > goodFor {
			delete(h.seen, address)
			continue
		}
		good = append(good, address)
	}
	slices.SortFunc(good, func(x, y netip.Addr) int {
		if newer := h.seen[y].Compare(h.seen[x]); newer != 0 {
			return newer
		}
		return x.Compare(y)
	})
	good = good[:min(len(good), maxAddresses)]
	slices.SortFunc(good, netip.Addr.Compare)
	return good
}

// Egress is what a proxy may connect to for a bucket: the prefixes that its owners named,
// or the addresses that its host has.
func (a *Addresses) Egress(ctx context.Context, bucket *Bucket) ([]netip.Prefix, error) {
	if len(bucket.Egress) > 0 {
		return bucket.Egress, nil
	}
	found, err := a.Of(ctx, bucket)
	if err != nil {
		return nil, err
	}
	prefixes := make([]netip.Prefix, len(found))
	for i, address := range found {
		prefixes[i] = netip.PrefixFrom(address, address.BitLen())
	}
	return prefixes, nil
}
