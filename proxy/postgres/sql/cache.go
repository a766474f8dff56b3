package sql

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/sallyport/sallyport/internal/policy"
)

// cache remembers what texts mean, least recently used first to go, bounded by
// what it holds in bytes.
type cache struct {
	mu    sync.Mutex
	limit int
	held  int
	lru   *simplelru.LRU[string, entry]
}

type entry struct {
	actions []policy.Action
	size    int
}

func newCache(limit int) *cache {
	c := &cache{limit: limit}
	// The count never bounds: entryOverhead alone passes the limit first.
	lru, err := simplelru.NewLRU(max(limit/entryOverhead, 1), func(_ string, e entry) { c.held -= e.size })
	if err == nil {
		c.lru = lru
	}
	return c
}

func (c *cache) get(text string) ([]policy.Action, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru == nil {
		return nil, false
	}
	e, ok := c.lru.Get(text)
	return e.actions, ok
}

// add remembers a text, unless it would push out much else.
func (c *cache) add(text string, actions []policy.Action) {
	size := sizeOf(text, actions)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru == nil || size > c.limit/8 || c.lru.Contains(text) {
		return
	}
	c.lru.Add(text, entry{actions: actions, size: size})
	c.held += size
	for c.held > c.limit {
		c.lru.RemoveOldest()
	}
}

// entryOverhead is what an entry takes beside its strings, about.
const entryOverhead = 256

func sizeOf(text string, actions []policy.Action) int {
	size := entryOverhead + len(text)
	for _, a := range actions {
		size += entryOverhead + len(a.Kind) + len(a.Unknown)
		for _, access := range a.Access {
			size += 48 + len(access.Schema) + len(access.Name)
		}
		for _, names := range [][]string{a.Functions, a.Sequences} {
			for _, name := range names {
				size += 16 + len(name)
			}
		}
	}
	return size
}
