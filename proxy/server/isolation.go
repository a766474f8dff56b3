package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// probeTimeout is how long an answer may take before there is none.
	probeTimeout = 2 * time.Second
	// probeSoon and probeLater bound the wait between probes that got through: a
	// NetworkPolicy may be enforced only a while after its pod has started.
	probeSoon, probeLater = 500 * time.Millisecond, 30 * time.Second
	// probeAgain is the wait after one that did not: enforcement may also go away.
	probeAgain = time.Minute
)

// DialFunc is net.Dialer.DialContext.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// WatchIsolation tries again and again to reach address, which a NetworkPolicy should
// make impossible, and tells what it saw each time that it changed. It returns when
// ctx ends.
func WatchIsolation(ctx context.Context, dial DialFunc, address string, tell func(isolated bool, message string)) {
	wait, known, last := probeSoon, false, false
	for ctx.Err() == nil {
		isolated, message := probe(ctx, dial, address)
		if ctx.Err() != nil {
			return
		}
		if !known || isolated != last {
			tell(isolated, message)
			known, last = true, isolated
		}
		if isolated {
			wait = probeSoon
			pause(ctx, probeAgain)
			continue
		}
		pause(ctx, wait)
		wait = min(2*wait, probeLater)
	}
}

// probe says whether the network keeps this process from address. What it cannot
// tell counts as not isolated.
func probe(ctx context.Context, dial DialFunc, address string) (isolated bool, message string) {
	if address == "" {
		return false, "isolation was not probed: no API server address was given"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", address)
	if err == nil {
		_ = conn.Close()
		return false, fmt.Sprintf("the API server at %s can be reached: NetworkPolicy is not enforced", address)
	}
	// Refused counts as kept away: the manager itself talks to that address, so it is
	// a policy's REJECT.
	for _, kept := range []error{
		context.DeadlineExceeded, os.ErrDeadlineExceeded, syscall.ECONNREFUSED, syscall.EHOSTUNREACH,
		syscall.ENETUNREACH, syscall.EACCES, syscall.EPERM, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, kept) {
			return true, fmt.Sprintf("the API server at %s cannot be reached: %s", address, kept)
		}
	}
	return false, fmt.Sprintf("isolation could not be probed: %s", err)
}
