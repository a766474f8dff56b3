// Package reach adds to what a statement names what is touched behind it: the
// relations under views, partitions and tables that inherit, foreign keys, triggers,
// rules, policies, and what functions do inside.
//
// It fails closed: what cannot be looked into (a language that is not SQL or
// PL/pgSQL, SQL made at run time, a relation that the catalog does not have) makes
// the action Opaque. Functions in C and internal ones that are immutable are taken at
// their superuser's word.
package reach

import (
	"fmt"
	"slices"
	"sync"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// Reach looks behind statements with one snapshot, and remembers what definitions
// and bodies in it mean. It is safe for concurrent use.
type Reach struct {
	snapshot *catalog.Snapshot

	mu    sync.Mutex
	views map[uint32]*view
	// expanded is what a column stands for, when it is written and otherwise.
	expanded map[policy.ColumnUse][]policy.ColumnUse
	bodies   map[bodyKey]*body
	rules    map[string]ruleReading
}

// New looks with a snapshot, which is not nil.
func New(snapshot *catalog.Snapshot) *Reach {
	return &Reach{
		snapshot: snapshot,
		views:    map[uint32]*view{}, expanded: map[policy.ColumnUse][]policy.ColumnUse{}, bodies: map[bodyKey]*body{}, rules: map[string]ruleReading{},
	}
}

// Extend returns the statement with what is behind it, when it runs under the
// search_path. The given one is not changed.
func (r *Reach) Extend(statement sql.Statement, path []string) sql.Statement {
	if statement.Action.Unknown != "" || runsNothing(statement.Action) {
		return statement
	}
	w := &walk{Reach: r, path: path, done: map[step]bool{}, found: found{
		access: map[accessKey]policy.Access{}, columns: map[policy.ColumnUse]bool{}, calls: map[policy.Call]bool{},
		sequences: map[string]bool{},
	}}
	w.take(statement)
	w.statement(statement, origin{path: path, top: true})
	for _, oid := range r.snapshot.Coercions {
		w.call(oid, origin{path: path, via: "a cast or a domain"})
	}
	if changesSchema(statement) {
		for _, oid := range r.snapshot.EventTriggers {
			w.call(oid, origin{path: path, via: "an event trigger"})
		}
	}
	return w.result(statement)
}

func runsNothing(a policy.Action) bool {
	return len(a.Access)+len(a.Functions)+len(a.Calls)+len(a.Sequences)+len(a.Columns) == 0 && a.Kind != "select" && a.Kind != "values"
}

func changesSchema(statement sql.Statement) bool { return statement.MovesCatalog }

// The limits on one statement.
const (
	maxDepth = 40
	maxWork  = 200_000
)

// origin is where a walk stands: under which search_path names are read there, and
// by what it came there.
type origin struct {
	path []string
	via  string
	// top says that the statement itself is read, inside that the body of a function
	// or rule is.
	top, inside bool
	depth       int
	// row is the relation that a trigger or rule stands at, whose rows are NEW and OLD.
	row *catalog.Relation
}

func (o origin) through(format string, args ...any) origin {
	o.via, o.top = fmt.Sprintf(format, args...), false
	o.depth++
	return o
}

// step is what was followed already.
type step struct {
	oid   uint32
	event byte
	// row and path tell how a function runs.
	row  uint32
	path string
}

// walk is the way through one statement.
type walk struct {
	*Reach
	found
	path []string
	done map[step]bool
	work int
}

// spend bounds the work; false says that there was too much.
func (w *walk) spend(at origin) bool {
	w.work++
	if w.work > maxWork || at.depth > maxDepth {
		w.conceal("too much is behind it to be followed")
		return false
	}
	return true
}

// statement follows what a statement names.
func (w *walk) statement(s sql.Statement, at origin) {
	a := s.Action
	for _, access := range a.Access {
		if access.Via != "" {
			continue
		}
		relation := w.snapshot.Resolve(nil, access.Schema, access.Name)
		event := eventOf(a, access)
		switch {
		case event == none:
		case relation != nil:
			w.touch(relation, event, at)
		case event != owning && event != maintaining:
			w.missing(access, at)
		}
	}
	for _, use := range a.Columns {
		w.column(use, at)
	}
	for _, call := range a.Calls {
		if call.Via == "" {
			w.builtin(call, at)
			w.named(call.Function, at)
		}
	}
	for _, name := range a.Functions {
		w.named(name, at)
	}
	for _, name := range a.Sequences {
		w.sequences[name] = true
	}
}

// missing is a relation that the catalog does not have: of PostgreSQL's own it need
// not, another may be anything.
func (w *walk) missing(access policy.Access, at origin) {
	if access.Privilege == "CREATE" {
		// It comes to be by the statement.
		return
	}
	if access.Schema != "pg_catalog" && access.Schema != "information_schema" {
		w.found.missing = true
		w.conceal("%s.%s is not in the target's catalog as this session has read it", access.Schema, access.Name)
	}
	if !at.top {
		access.Via = at.via
		w.add(access)
	}
}

// The events of a relation.
const (
	reading    = 'r'
	inserting  = 'i'
	updating   = 'u'
	deleting   = 'd'
	truncating = 't'
	// above is reading what a partition or child belongs to, without the rest of it;
	// aboveWriting what is written there must be fit for it too.
	above        = 'a'
	aboveWriting = 'w'
	// owning and maintaining are changes of the definition, and VACUUM, REFRESH and
	// the like.
	owning      = 'o'
	maintaining = 'm'
	// none is for what comes to be.
	none = 0
)

func eventOf(a policy.Action, access policy.Access) byte {
	switch access.Privilege {
	case v1alpha1.PrivilegeInsert:
		return inserting
	case v1alpha1.PrivilegeUpdate:
		if locks(a, access) {
			return reading
		}
		return updating
	case v1alpha1.PrivilegeDelete:
		return deleting
	case "TRUNCATE":
		return truncating
	case "OWNER":
		return owning
	case "MAINTAIN":
		return maintaining
	case "CREATE":
		return none
	default:
		return reading
	}
}

// locks says whether UPDATE is needed for FOR UPDATE only: an update writes a column.
func locks(a policy.Action, access policy.Access) bool {
	return (a.Kind == "select" || a.Kind == "declare") && !slices.ContainsFunc(a.Columns, func(u policy.ColumnUse) bool {
		return u.Use == policy.UseWrite && u.Schema == access.Schema && u.Relation == access.Name
	})
}

func privilegeOf(event byte) v1alpha1.RelationPrivilege {
	switch event {
	case inserting:
		return v1alpha1.PrivilegeInsert
	case updating:
		return v1alpha1.PrivilegeUpdate
	case deleting:
		return v1alpha1.PrivilegeDelete
	case truncating:
		return "TRUNCATE"
	case owning:
		return "OWNER"
	case maintaining:
		return "MAINTAIN"
	default:
		return v1alpha1.PrivilegeSelect
	}
}

// changes says whether an event writes.
func changes(event byte) bool { return event != reading && event != above }

func aboveOf(event byte) byte {
	if changes(event) {
		return aboveWriting
	}
	return above
}

// fires says whether a trigger with these events runs at one.
func fires(events string, event byte) bool { return slices.Contains([]byte(events), event) }
