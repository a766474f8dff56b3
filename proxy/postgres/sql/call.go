package sql

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

// call follows a function and its arguments. What a function gets that is not
// PostgreSQL's own harmless one is out of sight.
func (s *statement) call(node *pg_query.FuncCall, p *place, into *columns) {
	var arguments, order columns
	s.expressions(node.Args, p, &arguments)
	s.sorts(node.AggOrder, p, &order)
	s.use(order.list, policy.UseFilter)
	if node.AggWithinGroup {
		// percentile_disc(0.5) WITHIN GROUP (ORDER BY x) is one of the x.
		arguments.add(order.list...)
	}
	s.filter(node.AggFilter, p)
	s.window(node.Over, p)
	if s.isColumn(node, p) {
		into.add(arguments.list...)
		return
	}
	names := parts(node.Funcname)
	if s.function(names, node, len(node.Args)) {
		s.use(arguments.list, policy.UseCall)
	}
	if len(names) > 0 && returnsSet[names[len(names)-1]] {
		// How many rows come is said by its arguments.
		s.use(arguments.list, policy.UseFilter)
	}
	into.add(arguments.list...)
}

// isColumn says whether f(t) is t.f: so PostgreSQL reads it if there is no function.
func (s *statement) isColumn(node *pg_query.FuncCall, p *place) bool {
	names := parts(node.Funcname)
	if s.in.Catalog == nil || len(names) != 1 || len(node.Args) != 1 || systemFunctions[names[0]] ||
		len(s.in.Catalog.Functions(s.path, "", names[0])) > 0 {
		return false
	}
	i := s.rowItem(node.Args[0], p)
	if i == nil {
		return false
	}
	_, found, exact := i.find(names[0])
	return found && exact
}

// function notes a call, and says whether it may do more than compute. So many
// arguments it has; -1 for any.
func (s *statement) function(names []string, node *pg_query.FuncCall, arguments int) bool {
	switch {
	case len(names) == 1:
		return s.bareFunction(names[0], node, arguments)
	case len(names) == 2 && names[0] == system:
		return !newerFunctions[names[1]] && s.system(names[1], node)
	case len(names) == 2 && names[0] == "information_schema" && strings.HasPrefix(names[1], "_pg_"):
		return false
	case len(names) == 2:
		if strings.HasPrefix(names[0], temporary) || strings.HasPrefix(names[0], "pg_toast") {
			s.beyond("the function %s", strings.Join(names, "."))
		}
		if len(s.overloads(names[0], names[1], arguments)) == 0 {
			s.unseen(names[0] + "." + names[1])
		}
	default:
		s.refuse("the function %s", strings.Join(names, "."))
	}
	return true
}

// bareFunction is pg_catalog's, or any of that name on the search path: which of
// them, the types of the arguments decide.
func (s *statement) bareFunction(name string, node *pg_query.FuncCall, arguments int) bool {
	found := len(s.overloads("", name, arguments)) > 0
	switch {
	case systemFunctions[name]:
		return s.system(name, node) || found
	case found:
		return true
	case s.in.Catalog != nil && newerFunctions[name]:
		return false
	case s.in.Catalog != nil && strings.HasPrefix(name, "pg_"):
		// One of a newer server's own.
		return s.system(name, node)
	default:
		s.unseen(s.first() + "." + name)
		return true
	}
}

// overloads notes the target's own functions that a call may mean.
func (s *statement) overloads(schema, name string, arguments int) []*catalog.Function {
	if s.in.Catalog == nil {
		return nil
	}
	var found []*catalog.Function
	for _, f := range s.in.Catalog.Functions(s.path, schema, name) {
		if takes(f, arguments) {
			found = append(found, f)
			s.runs(f, true)
		}
	}
	return found
}

func takes(f *catalog.Function, arguments int) bool {
	switch {
	case arguments < 0:
		return true
	case f.Variadic:
		return arguments >= f.Arguments-1-f.Defaults
	default:
		return arguments >= f.Arguments-f.Defaults && arguments <= f.Arguments
	}
}

// runs notes a function of the catalog; the grant must name it where the statement does.
func (s *statement) runs(f *catalog.Function, named bool) {
	name := f.Schema + "." + f.Name.Name
	if named {
		s.functions[name] = true
		s.effects++
	}
	s.calls[policy.Call{Function: name, Volatility: f.Volatility, Definer: f.Definer}] = true
	// It may use set_config.
	s.movesPath = s.movesPath || f.Volatility == "volatile" && !f.Extension
}

// unseen notes a function that the catalog does not have.
func (s *statement) unseen(name string) {
	s.effects++
	s.functions[name] = true
	c := policy.Call{Function: name, Opaque: s.in.Catalog != nil}
	s.calls[c] = true
	if c.Opaque {
		s.obscure("the function " + name + " is not in the target's catalog")
	}
}

// system judges a function of pg_catalog, and says whether it may do more than compute.
func (s *statement) system(name string, node *pg_query.FuncCall) bool {
	switch {
	case harmlessFunctions[name] && name != "currval":
		return false
	case name == "nextval" || name == "currval":
		s.effects++
		sequence, ok := s.sequenceArgument(node.GetArgs())
		if !ok {
			s.beyond("%s of something else than a sequence named by a literal", name)
			s.functions[system+"."+name] = true
		} else {
			s.sequences[sequence] = true
		}
		return false
	case name == "set_config":
		s.setConfig(node)
	case blindFunctions[name]:
		s.beyond("the function %s, behind which a policy cannot see", name)
	}
	s.effects++
	s.functions[system+"."+name] = true
	c := policy.Call{Function: system + "." + name, Volatility: "volatile", Opaque: !knownEffect(name)}
	s.calls[c] = true
	if c.Opaque {
		s.obscure("the function " + c.Function + " can read more than its arguments say")
	}
	return true
}

// sequenceArgument reads nextval('name') and nextval('name'::regclass).
func (s *statement) sequenceArgument(args []*pg_query.Node) (string, bool) {
	if len(args) == 0 {
		return "", false
	}
	arg := args[0]
	if cast := arg.GetTypeCast(); cast != nil {
		names := parts(cast.GetTypeName().GetNames())
		if len(names) == 0 || names[len(names)-1] != "regclass" {
			return "", false
		}
		arg = cast.Arg
	}
	literal := arg.GetAConst().GetSval()
	if literal == nil {
		return "", false
	}
	return s.sequenceName(literal.Sval)
}

// constructor judges what newer servers have a grammar for and older ones call as
// functions of that name.
func (s *statement) constructor(name, reason string) {
	if s.in.Catalog == nil {
		s.beyond("%s", reason)
		return
	}
	s.overloads("", name, -1)
}
