package sql

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/internal/policy"
)

// tableFunctions is functions in FROM. What their columns are is known where they
// are listed, and for PostgreSQL's frequent ones.
func (s *statement) tableFunctions(node *pg_query.RangeFunction, p *place) *item {
	var result shape
	name := ""
	for _, function := range node.Functions {
		list := function.GetList().GetItems()
		if len(list) == 0 {
			s.refuse("a function in FROM")
			continue
		}
		var read columns
		s.expr(list[0], p, &read)
		// How many rows come is said by its arguments.
		s.use(read.list, policy.UseFilter)
		called := lastName(list[0])
		if name == "" {
			name = called
		}
		// ROWS FROM (f() AS (a int)) lists them with the function.
		var listed []*pg_query.Node
		for _, more := range list[1:] {
			listed = append(listed, more.GetList().GetItems()...)
		}
		one := s.functionShape(list[0], append(listed, node.Coldeflist...), read.list)
		result.fields, result.open = append(result.fields, one.fields...), append(result.open, one.open...)
	}
	if node.Ordinality {
		result.fields = append(result.fields, field{name: "ordinality"})
	}
	if alias := node.Alias.GetAliasname(); alias != "" {
		if len(result.fields) == 1 && len(result.open) == 0 && len(node.Coldeflist) == 0 && !node.Ordinality && result.fields[0].wild {
			// A function of one value gives its column the alias.
			result.fields[0] = field{name: alias, from: result.fields[0].from, wild: true}
		}
	}
	i := derived(node.Alias, result)
	if i.name == "" {
		i.name = name
	}
	return i
}

// functionShape is the columns of one function.
func (s *statement) functionShape(call *pg_query.Node, listed []*pg_query.Node, from []column) shape {
	var out shape
	for _, node := range listed {
		if def := node.GetColumnDef(); def != nil {
			s.typeName(def.TypeName)
			out.fields = append(out.fields, field{name: def.Colname, from: from})
		}
	}
	if len(out.fields) > 0 {
		return out
	}
	names := parts(call.GetFuncCall().GetFuncname())
	if n := len(names); n > 0 && (n == 1 || names[0] == system) && s.in.Catalog != nil &&
		len(s.in.Catalog.Functions(s.path, "", names[n-1])) == 0 {
		for _, name := range tableFunctionColumns[names[n-1]] {
			out.fields = append(out.fields, field{name: name, from: from, wild: len(tableFunctionColumns[names[n-1]]) == 1})
		}
		if len(out.fields) > 0 {
			return out
		}
	}
	return shape{open: []source{{from: from}}}
}

// tableFunctionColumns are what PostgreSQL's frequent functions in FROM give.
var tableFunctionColumns = map[string][]string{
	"generate_series": {"generate_series"}, "generate_subscripts": {"generate_subscripts"},
	"regexp_split_to_table": {"regexp_split_to_table"}, "regexp_matches": {"regexp_matches"}, "string_to_table": {"string_to_table"},
	"json_array_elements": {"value"}, "jsonb_array_elements": {"value"},
	"json_array_elements_text": {"value"}, "jsonb_array_elements_text": {"value"},
	"json_object_keys": {"json_object_keys"}, "jsonb_object_keys": {"jsonb_object_keys"},
	"json_each": {"key", "value"}, "jsonb_each": {"key", "value"}, "json_each_text": {"key", "value"}, "jsonb_each_text": {"key", "value"},
	"jsonb_path_query": {"jsonb_path_query"},
}

func lastName(node *pg_query.Node) string {
	names := parts(node.GetFuncCall().GetFuncname())
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}
