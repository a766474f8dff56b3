package judge

import (
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// cache remembers what texts mean, least recently used first to go, bounded by
// what it holds in bytes.
type cache struct {
	mu    sync.Mutex
	limit int
	held  int
	lru   *simplelru.LRU[key, entry]
	// path is the last search_path, joined.
	path   []string
	joined string
}

// key is all that the meaning of a text depends on. Template says that the text is
// one, in which integers do not matter.
type key struct {
	text                   string
	generation             int64
	path                   string
	unrestricted, template bool
}

// entry is what a text of a length means.
type entry struct {
	statements []sql.Statement
	length     int
	size       int
}

// statementsOf are the statements of another text with the same template: of what it
// differs in, only the length of integers is seen.
func (e entry) statementsOf(text string) []sql.Statement {
	longer := len(text) - e.length
	if longer == 0 || len(e.statements) != 1 {
		return e.statements
	}
	statements := []sql.Statement{e.statements[0]}
	statements[0].End += longer
	return statements
}

func newCache(limit int) *cache {
	c := &cache{limit: limit}
	// The count never bounds: entryOverhead alone passes the limit first.
	lru, err := simplelru.NewLRU(max(limit/entryOverhead, 1), func(_ key, e entry) { c.held -= e.size })
	if err == nil {
		c.lru = lru
	}
	return c
}

func (c *cache) key(text string, in sql.Session) key {
	k := key{text: text, unrestricted: in.Unrestricted}
	if in.Catalog != nil {
		k.generation = in.Catalog.Generation
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.path, in.SearchPath) {
		// A name never holds a zero byte.
		c.path, c.joined = slices.Clone(in.SearchPath), strings.Join(in.SearchPath, "\x00")
	}
	k.path = c.joined
	return k
}

func (c *cache) get(k key) (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru == nil {
		return entry{}, false
	}
	return c.lru.Get(k)
}

// add remembers a text, unless it would push out much else. Several statements have
// no template: where each of them ends would not be known.
func (c *cache) add(k key, e entry) {
	if k.template && len(e.statements) != 1 {
		return
	}
	e.size = sizeOf(k, e.statements)
	size := e.size
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru == nil || size > c.limit/4 || c.lru.Contains(k) {
		return
	}
	c.lru.Add(k, e)
	c.held += size
	for c.held > c.limit {
		c.lru.RemoveOldest()
	}
}

// entryOverhead is what an entry takes beside what it points to, about.
const entryOverhead = 256

func sizeOf(k key, statements []sql.Statement) int {
	size := entryOverhead + len(k.text) + len(k.path)
	for i := range statements {
		s := &statements[i]
		size += 2*entryOverhead + len(s.Action.Unknown) + len(s.Action.Opaque) + len(s.Prepares) + len(s.Node)
		for _, access := range s.Action.Access {
			size += 64 + len(access.Via)
		}
		for _, call := range s.Action.Calls {
			size += 80 + len(call.Function) + len(call.Via)
		}
		for _, names := range [][]string{s.Action.Functions, s.Action.Sequences, s.Action.Settings} {
			for _, name := range names {
				size += 16 + len(name)
			}
		}
		size += sizeOfColumns(s.Action.Columns)
		for _, output := range s.Outputs {
			size += 32 + sizeOfColumns(output.Columns)
		}
	}
	return size
}

// sizeOfColumns counts the headers of their names: the bytes belong to catalogs or
// to the text.
func sizeOfColumns(columns []policy.ColumnUse) int { return 64 * len(columns) }
