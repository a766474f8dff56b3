package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

const (
	// freshFor is how long what the catalogs said is taken for true, as far as others
	// may have changed them.
	freshFor = time.Minute
	// lookTimeout bounds reading them.
	lookTimeout = 20 * time.Second
)

// catalogs is what sessions know of the target's catalogs together.
type catalogs struct {
	now      func() time.Time
	mu       sync.Mutex
	snapshot *catalog.Snapshot
	read     time.Time
	shared   catalog.Shared
}

// fresh is the newest snapshot, nil if it is too old.
func (c *catalogs) fresh() (*catalog.Snapshot, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.snapshot == nil || c.now().Sub(c.read) > freshFor {
		return nil, time.Time{}
	}
	return c.snapshot, c.read
}

// load reads the catalogs for all. Those who come meanwhile may read them too.
func (c *catalogs) load(ctx context.Context, ask catalog.Ask) (*catalog.Snapshot, time.Time, error) {
	read := c.now()
	snapshot, err := c.shared.Load(ctx, ask)
	if err != nil {
		return nil, read, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read.Before(read) {
		c.snapshot, c.read = snapshot, read
	}
	return snapshot, read, nil
}

// view is what the texts of a session mean, and what may have changed that.
type view struct {
	sql.Session
	// followed says that catalog and path are: nothing asks for them where a grant is
	// unrestricted and no rule or mask judges.
	followed bool
	catalogs *catalogs
	// read is when the catalog was, epoch counts the changes of what is here.
	read  time.Time
	epoch int64
	// movedPath and movedCatalog say that a statement may have changed them.
	movedPath, movedCatalog bool
	// reverts say that the end of the transaction may.
	reverts bool
	// private says that the session sees relations that others do not.
	private bool
	// first is the path that it began with, asked the one that its client asked for.
	first []string
	asked string
}

// open looks at the target for a session that begins.
func (e *Engine) open(ctx context.Context, up *Upstream, s door, state grant.State) (view, error) {
	v := view{catalogs: &e.catalogs}
	spec := state.Grant.Policy
	v.Unrestricted = unrestricted(state)
	v.followed = !v.Unrestricted || len(spec.Rules) > 0 || spec.Masking != nil
	if !v.followed {
		return v, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	ask, inUTF8 := up.ask, up.inUTF8()
	if !inUTF8 {
		other := &observer{session: s, task: state.Task.ID}
		defer other.close()
		ask = other.ask
	}
	var err error
	if v.Catalog, v.read = v.catalogs.fresh(); v.Catalog == nil {
		if v.Catalog, v.read, err = v.catalogs.load(ctx, ask); err != nil {
			return v, err
		}
	}
	if err := present(spec.Masking, database(*state.Grant), v.Catalog); err != nil {
		return v, err
	}
	v.SearchPath, err = catalog.CurrentPath(ctx, up.ask)
	if err == nil && !inUTF8 {
		err = plain(v.SearchPath)
	}
	v.first = v.SearchPath
	return v, err
}

// plain refuses names that come in another encoding than the catalog's: they would be
// taken for others.
func plain(path []string) error {
	if slices.ContainsFunc(path, func(schema string) bool { return !ascii(schema) }) {
		return &fault{code: codeNotSupported, message: "search_path has names beyond ASCII, and client_encoding is not UTF8",
			hint: "Use UTF8 (PGCLIENTENCODING=UTF8)."}
	}
	return nil
}

// asker is how the catalog is asked for: a session in another encoding than UTF8 has an
// observer ask, which sees what is committed.
func (f *frontend) asker(uncommitted bool) (catalog.Ask, error) {
	switch {
	case f.utf8.Load():
		return f.ask, nil
	case uncommitted:
		return nil, &fault{code: codeNotSupported, message: "the schema has changed, and client_encoding is not UTF8",
			hint: "Use UTF8 (SET client_encoding = 'UTF8')."}
	}
	return f.observer.ask, nil
}

// unrestricted says whether the grant is; one that is still to come counts as not.
func unrestricted(state grant.State) bool {
	return state.Grant != nil && isUnrestricted(*state.Grant)
}

func isUnrestricted(g grant.Grant) bool {
	return g.Policy.Grant.Postgres != nil && g.Policy.Grant.Postgres.Unrestricted
}

// follow sees to it that the view is what a statement is going to meet. In a failed
// transaction, and where the target ignores what comes, it stays as it is. False is a
// view that cannot be had before the segment has ended.
func (f *frontend) follow() (bool, error) {
	v := &f.view
	if !v.followed {
		return true, nil
	}
	aged := v.catalogs.now().Sub(v.read) > freshFor
	if !aged && !v.movedPath && !v.movedCatalog {
		return true, nil
	}
	if !v.movedPath && !v.movedCatalog && (f.open || f.pipeline.busy() || f.status() != wire.StatusIdle) {
		// Others' changes can wait until the session is idle.
		return true, nil
	}
	if err := f.settle(); err != nil {
		return false, err
	}
	status := f.status()
	if status == wire.StatusFailed || f.ignored() {
		return true, nil
	}
	if f.open && (status != wire.StatusOpen || f.transaction.segment == f.segment) {
		return false, nil
	}
	return true, f.look(aged, status)
}

// look reads anew what may have changed.
func (f *frontend) look(aged bool, status byte) error {
	v := &f.view
	ctx, cancel := context.WithTimeout(f.ctx, lookTimeout)
	defer cancel()
	path, err := catalog.CurrentPath(ctx, f.ask)
	if err != nil {
		return f.asFault(err)
	}
	if !f.utf8.Load() {
		if err := plain(path); err != nil {
			return err
		}
	}
	if !slices.Equal(path, v.SearchPath) {
		v.SearchPath = path
		v.epoch++
	}
	v.movedPath = false
	if !aged && !v.movedCatalog {
		return nil
	}
	next, read := v.catalogs.fresh()
	// Its own changes are its own to see until they are committed.
	own := v.movedCatalog || v.private
	if own {
		v.private = status != wire.StatusIdle || slices.ContainsFunc(path, temporary)
	}
	ask, err := f.asker(v.private)
	if err != nil {
		return err
	}
	switch {
	case own:
		read = v.catalogs.now()
		if v.private {
			next, err = catalog.Load(ctx, ask)
		} else {
			next, read, err = v.catalogs.load(ctx, ask)
		}
	case next == nil:
		next, read, err = v.catalogs.load(ctx, ask)
	}
	if err != nil {
		return f.asFault(err)
	}
	if next != v.Catalog {
		v.Catalog = next
		v.epoch++
	}
	v.read, v.movedCatalog = read, false
	return nil
}

// temporary says whether a schema is one of a session's own relations.
func temporary(schema string) bool { return len(schema) > 8 && schema[:8] == "pg_temp_" }

// outdated says whether statements name what others may have made since the catalogs
// were read.
func (v *view) outdated(statements []sql.Statement) bool {
	return v.followed && slices.ContainsFunc(statements, func(s sql.Statement) bool { return s.Missing })
}

// moves follows a statement that is about to be sent.
func (v *view) moves(s *sql.Statement) {
	if !v.followed {
		return
	}
	v.movedPath = v.movedPath || s.MovesPath
	v.movedCatalog = v.movedCatalog || s.MovesCatalog
	v.reverts = v.reverts || s.MovesPath || s.MovesCatalog
	// A COMMIT may be a rollback.
	if kind := s.Action.Kind; v.reverts && (ends(kind) || kind == "rollback to") {
		v.movedPath, v.movedCatalog = true, true
		v.reverts = kind == "rollback to"
	}
}

// pathMoved says whether search_path is another than the session began with.
func (v *view) pathMoved() bool { return v.movedPath || !slices.Equal(v.SearchPath, v.first) }
