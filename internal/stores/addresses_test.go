package stores

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// rotating answers every question with the next of its answers.
type rotating struct {
	answers [][]netip.Addr
	asked   int
	names   []string
}

func (r *rotating) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.names = append(r.names, host)
	r.asked++
	if len(r.answers) == 0 {
		return nil, errors.New("no such host")
	}
	answer := r.answers[0]
	r.answers = r.answers[1:]
	return answer, nil
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func archive(t *testing.T, pairs ...string) *Bucket {
	t.Helper()
	b, err := Parse("archive", with(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAddressesOfTheLastHourStayGood(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	lookup := &rotating{answers: [][]netip.Addr{addrs("198.51.100.2"), addrs("198.51.100.1"), addrs("::ffff:198.51.100.3")}}
	a := &Addresses{Lookup: lookup, Now: func() time.Time { return now }}
	b := archive(t)
	expect := func(want ...string) {
		t.Helper()
		got, err := a.Of(t.Context(), b)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(addrs(want...)) {
			t.Fatalf("addresses %v %v, want %v", got, err, want)
		}
	}
	expect("198.51.100.2")
	expect("198.51.100.2")
	if lookup.asked != 1 {
		t.Errorf("asked %d times within a moment", lookup.asked)
	}
	now = now.Add(30 * time.Minute)
	expect("198.51.100.1", "198.51.100.2")
	now = now.Add(45 * time.Minute)
	expect("198.51.100.1", "198.51.100.3")
	now = now.Add(time.Minute)
	expect("198.51.100.1", "198.51.100.3") // the resolver is down: what is known stays
	now = now.Add(2 * time.Hour)
	if got, err := a.Of(t.Context(), b); err == nil {
		t.Errorf("after two hours of no answer: %v", got)
	}
}

func TestABucketInItsHostsNameIsLookedUpUnderIt(t *testing.T) {
	t.Parallel()
	lookup := &rotating{answers: [][]netip.Addr{addrs("198.51.100.2")}}
	a := &Addresses{Lookup: lookup, Now: time.Now}
	if _, err := a.Of(t.Context(), archive(t, KeyAddressing, "virtual")); err != nil || lookup.names[0] != "recordings.s3.example.org" {
		t.Errorf("looked up %v: %v", lookup.names, err)
	}
}

func TestAStoreIsNeverAtAnAddressOfThePodItself(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "224.0.0.1"} {
		a := &Addresses{Lookup: &rotating{answers: [][]netip.Addr{addrs(address)}}, Now: time.Now}
		if _, err := a.Of(t.Context(), archive(t)); err == nil || !strings.Contains(err.Error(), "which no pod reaches") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := (&Addresses{Now: time.Now}).Of(t.Context(), archive(t, KeyEndpoint, "http://127.0.0.1:9000")); err == nil {
		t.Error("a loopback endpoint is taken")
	}
}

func TestEgressIsWhatTheOwnersNameOrTheAddresses(t *testing.T) {
	t.Parallel()
	a := &Addresses{Lookup: &rotating{answers: [][]netip.Addr{addrs("2001:db8::1", "198.51.100.2")}}, Now: time.Now}
	got, err := a.Egress(t.Context(), archive(t))
	if err != nil || fmt.Sprint(got) != "[198.51.100.2/32 2001:db8::1/128]" {
		t.Errorf("egress %v %v", got, err)
	}
	got, err = a.Egress(t.Context(), archive(t, KeyEgress, "192.0.2.0/24"))
	if err != nil || fmt.Sprint(got) != "[192.0.2.0/24]" {
		t.Errorf("named egress %v %v", got, err)
	}
}
