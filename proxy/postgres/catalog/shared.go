package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Shared gives sessions that see the same catalogs the same snapshot, so that it is
// held once, and what was understood with it too. Under which search_path it was
// loaded does not matter: it says so itself. The zero value is ready; it is safe
// for concurrent use.
type Shared struct {
	mu    sync.Mutex
	known map[string]*Snapshot
}

// maxShared is how many snapshots it knows: sessions of a task differ in their
// temporary relations at most.
const maxShared = 8

// Load is the snapshot of what the catalogs hold now, loaded unless it is known.
func (s *Shared) Load(ctx context.Context, ask Ask) (*Snapshot, error) {
	version, err := Version(ctx, ask)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	known := s.known[version]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	// What changes meanwhile has another version than this.
	snapshot, err := Load(ctx, ask)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[version]; known != nil {
		return known, nil
	}
	if s.known == nil || len(s.known) >= maxShared {
		s.known = map[string]*Snapshot{}
	}
	s.known[version] = snapshot
	return snapshot, nil
}

// versioned are the catalogs that a snapshot is made of.
var versioned = []string{
	"pg_class", "pg_attribute", "pg_attrdef", "pg_namespace", "pg_inherits", "pg_constraint", "pg_index", "pg_proc", "pg_aggregate",
	"pg_operator", "pg_trigger", "pg_rewrite", "pg_policy", "pg_cast", "pg_type", "pg_range", "pg_event_trigger", "pg_partitioned_table",
}

var versionQuery = func() string {
	var counts []string
	for _, name := range versioned {
		counts = append(counts, "(SELECT pg_catalog.concat(pg_catalog.count(*), '/', pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog."+name+" c)")
	}
	return "SELECT pg_catalog.concat_ws(' ', CURRENT_USER, pg_catalog.current_database(), pg_catalog.pg_my_temp_schema(), " + strings.Join(counts, ", ") + ")"
}()

// Version changes whenever a snapshot would: it has the number of rows of each catalog
// and the sum of the transactions that wrote them.
func Version(ctx context.Context, ask Ask) (string, error) {
	rows, err := ask(ctx, versionQuery)
	if err != nil {
		return "", fmt.Errorf("ask for the version of the target's catalogs: %w", err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return "", errors.New("ask for the version of the target's catalogs: an answer of another shape")
	}
	return rows[0][0], nil
}
