package catalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// Ask runs one query with the simple protocol: its rows in text format, NULL as "".
type Ask func(ctx context.Context, query string) (rows [][]string, err error)

// The limits on what a snapshot holds.
const (
	maxRelations = 50_000
	maxColumns   = 400_000
	maxFunctions = 20_000
	maxOthers    = 200_000
	maxText      = 4 << 20
)

var generations atomic.Int64

// CurrentPath is the session's search_path as PostgreSQL uses it.
func CurrentPath(ctx context.Context, ask Ask) ([]string, error) {
	rows, err := ask(ctx, `SELECT pg_catalog.unnest(pg_catalog.current_schemas(true))`)
	if err != nil {
		return nil, fmt.Errorf("ask for the search_path: %w", err)
	}
	path := make([]string, 0, len(rows))
	for _, row := range rows {
		if len(row) != 1 {
			return nil, errors.New("ask for the search_path: an answer of another shape")
		}
		path = append(path, row[0])
	}
	return path, nil
}

// Load reads the catalogs with the rights of any role. It fails where they are
// larger than a proxy should hold. The functions that print definitions lock what
// they print (ACCESS SHARE) and so may wait for others' changes of the schema:
// bound ctx.
func Load(ctx context.Context, ask Ask) (*Snapshot, error) {
	path, err := CurrentPath(ctx, ask)
	if err != nil {
		return nil, err
	}
	l := &loader{
		relations: map[uint32]*Relation{}, functions: map[uint32]*Function{},
		operatorFunctions: map[uint32]uint32{}, owners: map[object]owner{}, virtual: map[Origin]bool{},
	}
	for _, query := range queries {
		rows, err := ask(ctx, query.text)
		if err != nil {
			return nil, fmt.Errorf("read the target's catalogs (%s): %w", query.name, err)
		}
		if len(rows) > query.limit {
			return nil, fmt.Errorf("read the target's catalogs: more than %d rows of %s", query.limit, query.name)
		}
		for _, row := range rows {
			if len(row) != query.fields {
				return nil, fmt.Errorf("read the target's catalogs (%s): a row of %d fields, not %d", query.name, len(row), query.fields)
			}
			if err := query.take(l, fields(row)); err != nil {
				return nil, fmt.Errorf("read the target's catalogs (%s): %w", query.name, err)
			}
		}
	}
	return l.snapshot(path), nil
}

// loader gathers a snapshot.
type loader struct {
	user, temporary   string
	order             []*Relation
	relations         map[uint32]*Relation
	functions         map[uint32]*Function
	functionOrder     []*Function
	operators         []*Operator
	operatorFunctions map[uint32]uint32
	coercions, events []uint32
	owners            map[object]owner
	virtual           map[Origin]bool // columns that are computed when they are read
	text              int
}

func (l *loader) snapshot(path []string) *Snapshot {
	s := New(generations.Add(1), l.temporary, l.order, l.functionOrder, l.operators)
	s.Path, s.User = path, l.user
	s.Coercions, s.EventTriggers = l.coercions, l.events
	return s
}

// keep counts text that the snapshot holds.
func (l *loader) keep(text string) (string, error) {
	if l.text += len(text); l.text > maxText {
		return "", fmt.Errorf("definitions of views, rules and functions of more than %d bytes", maxText)
	}
	return text, nil
}

// fields of a row.
type fields []string

func (f fields) oid(i int) (uint32, error) {
	n, err := strconv.ParseUint(f[i], 10, 32)
	return uint32(n), err
}

func (f fields) char(i int) byte {
	if f[i] == "" {
		return 0
	}
	return f[i][0]
}

func (f fields) is(i int) bool { return f[i] == "t" }

func (f fields) number(i int) (int, error) { return strconv.Atoi(f[i]) }

// oids are OIDs or numbers with blanks between.
func (f fields) oids(i int) ([]uint32, error) {
	var out []uint32
	for word := range strings.FieldsSeq(f[i]) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, err
		}
		out = append(out, uint32(n))
	}
	return out, nil
}
