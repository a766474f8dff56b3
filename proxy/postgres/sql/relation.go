package sql

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

const (
	public    = "public"
	system    = "pg_catalog"
	temporary = "pg_temp"
)

// relation is one by its real name; known is nil where the catalog does not have it.
type relation struct {
	schema, name string
	known        *catalog.Relation
}

func (r *relation) column(name string) column { return column{r.schema, r.name, name} }

func (r *relation) fields() []field {
	out := make([]field, len(r.known.Columns))
	backing := make([]column, len(out))
	for i, c := range r.known.Columns {
		backing[i] = r.column(c.Name)
		out[i] = field{name: c.Name, from: backing[i : i+1 : i+1], plain: true}
	}
	return out
}

// shape of a relation of which columns are not known.
func (r *relation) shape() shape {
	if r.known != nil {
		return shape{}
	}
	return shape{open: []source{{schema: r.schema, relation: r.name}}}
}

// effectivePath is search_path with pg_catalog where PostgreSQL looks for it.
func (in Session) effectivePath() []string {
	path := in.SearchPath
	if len(path) == 0 {
		path = []string{public}
	}
	if !slices.Contains(path, system) {
		path = append([]string{system}, path...)
	}
	return path
}

// first is the schema that a name gets which is found nowhere.
func (s *statement) first() string {
	for _, schema := range s.path {
		if schema != system && !strings.HasPrefix(schema, temporary) {
			return schema
		}
	}
	return public
}

// resolve finds the relation that a name means. A database in front needs no look:
// PostgreSQL takes its own name only.
func (s *statement) resolve(node *pg_query.RangeVar) *relation {
	return s.relationNamed(node.GetSchemaname(), node.GetRelname())
}

func (s *statement) relationNamed(schema, name string) *relation {
	if name == "" {
		s.refuse("a relation without a name")
	}
	s.checkSchema(schema)
	if s.in.Catalog != nil {
		if known := s.in.Catalog.Resolve(s.path, schema, name); known != nil {
			return &relation{known.Schema, known.Name.Name, known}
		}
	}
	switch {
	case schema != "":
	case systemRelations[name] || s.in.Catalog != nil && strings.HasPrefix(name, "pg_"):
		schema = system
	default:
		schema = s.first()
	}
	return &relation{schema: schema, name: name}
}

// checkSchema refuses the schemas whose meaning is the session's own, or that hold
// rows of tables under other names.
func (s *statement) checkSchema(schema string) {
	switch {
	case strings.HasPrefix(schema, "pg_toast"):
		s.beyond("the schema %s", schema)
		s.obscure("the schema " + schema + " holds rows of other tables")
	case strings.HasPrefix(schema, temporary):
		s.beyond("the schema %s", schema)
	}
}

// touch notes that a privilege on a relation is needed.
func (s *statement) touch(r *relation, privilege v1alpha1.RelationPrivilege) {
	s.access[policy.Access{Schema: r.schema, Name: r.name, Privilege: privilege}] = true
}

// target adds a privilege on a relation that is named as a target: a CTE never
// stands for it.
func (s *statement) target(node *pg_query.RangeVar, privilege v1alpha1.RelationPrivilege) *relation {
	r := s.resolve(node)
	s.touch(r, privilege)
	return r
}

// targetItem is a target as names of its statement see it.
func targetItem(node *pg_query.RangeVar, r *relation) *item {
	i := &item{name: itemName(node), whole: true, bare: true, relation: r, shape: r.shape()}
	if node.GetAlias() == nil {
		i.schema = r.schema
	}
	return i
}

// stored are the columns that COPY takes where it names none.
func (r *relation) stored() []field {
	var out []field
	for _, c := range r.known.Columns {
		if !c.Generated {
			out = append(out, field{name: c.Name, from: []column{r.column(c.Name)}, plain: true})
		}
	}
	return out
}
