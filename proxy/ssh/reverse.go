package ssh

import (
	"sync"
)

// reverse is a kind of channel that the target may open because the client has asked
// for it on session channels that are open.
type reverse struct {
	mu sync.Mutex
	// asked are the requests that were granted.
	asked []*reverseRequest
}

type reverseRequest struct {
	// operation in the recording.
	operation int64
	// single allows one channel, and spent says that there was one (RFC 4254 section 6.3.1).
	single, spent bool
}

// allow lets the target open channels until withdraw is called.
func (r *reverse) allow(operation int64, single bool) (withdraw func()) {
	request := &reverseRequest{operation: operation, single: single}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, request)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i := range r.asked {
			if r.asked[i] == request {
				r.asked = append(r.asked[:i:i], r.asked[i+1:]...)
				return
			}
		}
	}
}

// use takes one of the channels that were asked for, and says by which operation.
func (r *reverse) use() (operation int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, request := range r.asked {
		if request.single && request.spent {
			continue
		}
		request.spent = true
		return request.operation, true
	}
	return 0, false
}
