package reader

import "sync"

const (
	// maxReads is how many reads may be under way at once, maxReadsOfOne those of one
	// person: who reads slowly keeps nobody else from reading.
	maxReads      = 32
	maxReadsOfOne = 8
)

// reads counts those under way.
type reads struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// begin takes a person's place; false if there is none. end gives it back.
func (r *reads) begin(person string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all >= maxReads || r.of[person] >= maxReadsOfOne {
		return false
	}
	if r.of == nil {
		r.of = map[string]int{}
	}
	r.all++
	r.of[person]++
	return true
}

func (r *reads) end(person string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.of[person]--; r.of[person] == 0 {
		delete(r.of, person)
	}
}
