package catalog

import (
	"slices"
	"strings"
)

const system = "pg_catalog"

// New is a snapshot of these. Temporary names the schema of the session's temporary
// relations, "" where it has none.
func New(generation int64, temporary string, relations []*Relation, functions []*Function, operators []*Operator) *Snapshot {
	s := &Snapshot{
		Generation: generation, temporary: temporary,
		Relations: make(map[uint32]*Relation, len(relations)), relations: make(map[Name]*Relation, len(relations)),
		FunctionsByOID: make(map[uint32]*Function, len(functions)), functions: make(map[Name][]*Function, len(functions)),
		operators: make(map[string][]*Operator, len(operators)),
	}
	for _, r := range relations {
		s.Relations[r.OID], s.relations[r.Name] = r, r
	}
	for _, f := range functions {
		s.FunctionsByOID[f.OID] = f
		s.functions[f.Name] = append(s.functions[f.Name], f)
	}
	for _, o := range operators {
		s.operators[o.Symbol] = append(s.operators[o.Symbol], o)
	}
	return s
}

// Relation by OID; nil where there is none.
func (s *Snapshot) Relation(oid uint32) *Relation { return s.Relations[oid] }

// Function by OID, outside PostgreSQL's own schemas; nil where there is none.
func (s *Snapshot) Function(oid uint32) *Function { return s.FunctionsByOID[oid] }

// Resolve finds a relation as PostgreSQL does: in the schema, or with schema "" the
// first on the path that has it. Temporary relations come first and pg_catalog next,
// unless the path has a place for them (Schemas and search_path, 5.9.3). nil where
// there is none.
func (s *Snapshot) Resolve(path []string, schema, name string) *Relation {
	if schema != "" {
		if schema == "pg_temp" {
			schema = s.temporary
		}
		return s.relations[Name{schema, name}]
	}
	for _, schema := range s.searched(path) {
		if r := s.relations[Name{schema, name}]; r != nil {
			return r
		}
	}
	return nil
}

// searched is the path with what PostgreSQL adds to it.
func (s *Snapshot) searched(path []string) []string {
	out := make([]string, 0, len(path)+2)
	if s.temporary != "" && !slices.Contains(path, s.temporary) && !slices.Contains(path, "pg_temp") {
		out = append(out, s.temporary)
	}
	if !slices.Contains(path, system) {
		out = append(out, system)
	}
	for _, schema := range path {
		if schema == "pg_temp" {
			schema = s.temporary
		}
		out = append(out, schema)
	}
	return out
}

// Functions are those of a name that a call may mean, in the schema or, with schema
// "", anywhere on the path: which of them runs, the types of the arguments decide.
// PostgreSQL never looks for functions among temporary objects.
func (s *Snapshot) Functions(path []string, schema, name string) []*Function {
	if schema != "" {
		if schema == "pg_temp" {
			schema = s.temporary
		}
		return s.functions[Name{schema, name}]
	}
	var found []*Function
	for _, schema := range path {
		if !strings.HasPrefix(schema, "pg_temp") {
			found = append(found, s.functions[Name{schema, name}]...)
		}
	}
	return found
}

// Operators are those of a symbol in a schema of the path: which of them runs, the
// types of the operands decide.
func (s *Snapshot) Operators(path []string, symbol string) []*Operator {
	var found []*Operator
	for _, o := range s.operators[symbol] {
		if slices.Contains(path, o.Schema) {
			found = append(found, o)
		}
	}
	return found
}

// Column by name; nil where the relation has none of it.
func (r *Relation) Column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

// ByNumber is the name of the column with a number; "*" for the whole row, and for
// one that is not there.
func (r *Relation) ByNumber(number int16) string {
	for _, column := range r.Columns {
		if column.Number == number {
			return column.Name
		}
	}
	return "*"
}
