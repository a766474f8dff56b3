package reach

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// found is what a walk has come by.
type found struct {
	access    map[accessKey]policy.Access
	columns   map[policy.ColumnUse]bool
	calls     map[policy.Call]bool
	sequences map[string]bool
	// opaque is the first thing that could not be looked into.
	opaque string
	// missing says that the catalog lacks something.
	missing bool
}

type accessKey struct {
	schema, name string
	privilege    v1alpha1.RelationPrivilege
}

// take notes what the statement itself says.
func (f *found) take(s sql.Statement) {
	f.opaque = s.Action.Opaque
	for _, access := range s.Action.Access {
		f.add(access)
	}
	for _, use := range s.Action.Columns {
		f.columns[use] = true
	}
}

// add notes a relation; the first way to it is kept, and the statement's own names
// come first.
func (f *found) add(access policy.Access) {
	key := accessKey{access.Schema, access.Name, access.Privilege}
	if _, ok := f.access[key]; !ok {
		f.access[key] = access
	}
}

// conceal notes what cannot be looked into.
func (f *found) conceal(format string, args ...any) {
	if f.opaque == "" {
		f.opaque = fmt.Sprintf(format, args...)
	}
}

// result is the statement with what was found.
func (w *walk) result(s sql.Statement) sql.Statement {
	a := s.Action
	a.Opaque = w.opaque
	a.Access = slices.SortedFunc(maps.Values(w.access), func(a, b policy.Access) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Privilege, b.Privilege), cmp.Compare(a.Via, b.Via))
	})
	a.Columns = slices.SortedFunc(maps.Keys(w.columns), func(a, b policy.ColumnUse) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Use, b.Use))
	})
	a.Calls = slices.SortedFunc(maps.Keys(w.calls), func(a, b policy.Call) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Via, b.Via), cmp.Compare(a.Volatility, b.Volatility), truth(a.Definer, b.Definer), truth(a.Opaque, b.Opaque))
	})
	for _, call := range s.Action.Calls {
		if !slices.ContainsFunc(a.Calls, func(c policy.Call) bool { return c.Function == call.Function && c.Via == call.Via }) {
			a.Calls = append(a.Calls, call)
		}
	}
	a.Sequences = slices.Sorted(maps.Keys(w.sequences))
	if len(a.Sequences) == len(s.Action.Sequences) {
		a.Sequences = s.Action.Sequences
	}
	s.Action, s.Missing = a, w.found.missing
	switch {
	case a.Opaque != "" && len(a.Calls) > 0:
		s.MovesPath, s.MovesCatalog = true, true
	case a.Opaque == "" && fit[a.Kind] && len(a.Settings) == 0:
		// All its functions are known, and none changes a setting.
		s.MovesPath = false
	}
	s.Outputs = w.outputs(s.Outputs)
	return s
}

func truth(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
