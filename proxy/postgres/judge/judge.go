// Package judge says what SQL texts do on a target: it reads them (package sql),
// adds what is behind what they name (package reach), and remembers both.
package judge

import (
	"strings"
	"sync"

	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/reach"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// Judge reads texts. It is safe for concurrent use.
type Judge struct {
	cache *cache

	mu    sync.Mutex
	reach map[*catalog.Snapshot]*reach.Reach
}

// New remembers texts and what they mean up to about so many bytes.
func New(bytes int) *Judge {
	return &Judge{cache: newCache(bytes), reach: map[*catalog.Snapshot]*reach.Reach{}}
}

// Read returns the statements of a text, in order; none for a text without a
// statement. What cannot be read is one statement with Action.Unknown set. The
// result is shared: callers do not change it.
func (j *Judge) Read(text string, in sql.Session) []sql.Statement {
	key := j.cache.key(text, in)
	template, ok := sql.Template(text)
	if ok {
		key.text, key.template = template, true
	}
	if found, ok := j.cache.get(key); ok {
		return found.statementsOf(text)
	}
	statements := j.read(text, in)
	j.cache.add(key, entry{statements: statements, length: len(text)})
	return statements
}

func (j *Judge) read(text string, in sql.Session) []sql.Statement {
	statements := sql.Read(text, in)
	moved := ""
	for i := range statements {
		s := &statements[i]
		if in.Catalog != nil {
			*s = j.behind(in.Catalog).Extend(*s, in.SearchPath)
		}
		if names := s.Action.Access != nil || s.Action.Functions != nil; names && moved != "" && s.Action.Opaque == "" {
			s.Action.Opaque = "its names may mean something else behind " + moved + " in the same message: send it by itself"
		}
		if s.MovesPath || s.MovesCatalog {
			moved = strings.ToUpper(s.Action.Kind)
		}
	}
	return statements
}

// maxSnapshots is how many catalogs it looks behind at a time; sessions of one task
// mostly share the newest.
const maxSnapshots = 8

// behind looks with one snapshot.
func (j *Judge) behind(snapshot *catalog.Snapshot) *reach.Reach {
	j.mu.Lock()
	defer j.mu.Unlock()
	if known := j.reach[snapshot]; known != nil {
		return known
	}
	if len(j.reach) >= maxSnapshots {
		clear(j.reach)
	}
	r := reach.New(snapshot)
	j.reach[snapshot] = r
	return r
}
