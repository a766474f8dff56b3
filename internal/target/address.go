package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// maxAddresses of one target; the status holds as many.
const maxAddresses = 16

// addresses are the host's, each checked, in a stable order.
func (r *Resolver) addresses(ctx context.Context, host string) ([]string, error) {
	found := []netip.Addr{}
	if literal, err := netip.ParseAddr(host); err == nil {
		found = append(found, literal)
	} else if found, err = r.lookup(ctx, host); err != nil {
		return nil, err
	}
	checked := make([]netip.Addr, 0, len(found))
	for _, address := range found {
		address = address.Unmap()
		if why := r.refuse(address); why != "" {
			return nil, &Error{v1alpha1.ReasonInvalid, fmt.Sprintf("host %s is at %s, %s: no target may be there", host, address, why)}
		}
		checked = append(checked, address)
	}
	slices.SortFunc(checked, netip.Addr.Compare)
	checked = slices.Compact(checked)
	checked = checked[:min(len(checked), maxAddresses)]
	out := make([]string, len(checked))
	for n, address := range checked {
		out[n] = address.String()
	}
	return out, nil
}

func (r *Resolver) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Timeout, DefaultTimeout))
	defer cancel()
	found, err := r.Lookup.LookupNetIP(ctx, "ip", host)
	if err == nil && len(found) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return nil, &Error{v1alpha1.ReasonUnreachable, fmt.Sprintf("look up host %s: %v", host, err)}
	}
	return found, nil
}

// Prefixes that stand for an IPv4 address in their last bits.
var (
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291 section 2.5.5.1
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380
	thisHost   = netip.MustParsePrefix("0.0.0.0/8")      // RFC 1122 section 3.2.1.3
	reserved   = netip.MustParsePrefix("240.0.0.0/4")    // RFC 1112 section 4, and broadcast
)

// refuse says why an address is no target's; empty when it may be one.
func (r *Resolver) refuse(address netip.Addr) string {
	switch {
	case !address.IsValid():
		return "which is no address"
	case address.Zone() != "":
		return "which is of one link"
	case address.IsLoopback():
		return "a loopback address"
	case address.IsUnspecified(), thisHost.Contains(address):
		return "an unspecified address"
	case address.IsLinkLocalUnicast():
		return "a link-local address"
	case address.IsMulticast(), address.IsInterfaceLocalMulticast(), reserved.Contains(address):
		return "a multicast or reserved address"
	}
	for _, prefix := range []netip.Prefix{compatible, nat64, nat64Local, sixToFour, teredo} {
		if prefix.Contains(address) {
			return "an address that stands for another"
		}
	}
	for _, own := range r.Own {
		if own.Contains(address) {
			return "one of the operator's own addresses"
		}
	}
	return ""
}
