package session

import (
	"slices"
	"sync"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// entry is what an operation is recorded by. It is used again and again, for recordings
// keep nothing of it: a statement costs no garbage.
type entry struct {
	operation record.Operation
	verdict   record.Verdict
	result    record.Result
	// names are those of relations that it has met.
	names map[relation]string
}

// relation is a schema's and a relation's name.
type relation struct{ schema, name string }

var entries = sync.Pool{New: func() any { return &entry{} }}

func newEntry() *entry { return entries.Get().(*entry) } //nolint:forcetypeassert // New makes nothing else

const (
	// maxRelations is as many of each kind as an operation's record names.
	maxRelations = 64
	// maxKept bounds the lists that an entry keeps room for, maxNames its names.
	maxKept  = 64
	maxNames = 256
)

func (e *entry) free() {
	o := record.Operation{Values: emptied(e.operation.Values), Reads: emptied(e.operation.Reads), Writes: emptied(e.operation.Writes)}
	*e = entry{operation: o, names: e.names}
	entries.Put(e)
}

// emptied is the list's room, without what it held.
func emptied[T any](list []T) []T {
	if cap(list) > maxKept {
		return nil
	}
	clear(list)
	return list[:0]
}

// take fills in an operation, as it may be shown.
func (e *entry) take(number int64, from *Operation) {
	o := &e.operation
	o.ID, o.Kind, o.Text = number, from.Action.Kind, record.Text(from.shown())
	for _, value := range from.Literals {
		o.Values = append(o.Values, record.Text(value))
	}
	for i := range from.Action.Access {
		access := &from.Action.Access[i]
		if access.Privilege == v1alpha1.PrivilegeSelect {
			o.Reads = e.with(o.Reads, access)
		} else {
			o.Writes = e.with(o.Writes, access)
		}
	}
	slices.Sort(o.Reads)
	slices.Sort(o.Writes)
}

func (e *entry) with(names []string, access *policy.Access) []string {
	if len(names) == maxRelations {
		return names
	}
	if name := e.name(relation{access.Schema, access.Name}); !slices.Contains(names, name) {
		return append(names, name)
	}
	return names
}

func (e *entry) name(r relation) string {
	name, known := e.names[r]
	if known {
		return name
	}
	if len(e.names) >= maxNames || e.names == nil {
		e.names = map[relation]string{}
	}
	name = r.schema + "." + r.name
	e.names[r] = name
	return name
}
