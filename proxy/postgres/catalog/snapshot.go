// Package catalog is what a target's system catalogs say, read once and then looked
// up: relations with their columns, and what PostgreSQL runs by itself when they are
// touched.
package catalog

// Snapshot is the catalogs of one database at one moment, as one session sees them.
// Of PostgreSQL's own schemas it has the relations with their columns, but not what
// is behind them, and no functions. It is immutable.
type Snapshot struct {
	// Generation tells two snapshots apart.
	Generation int64
	// Path is the search_path under which the definitions of views, rules and bodies
	// in here are to be read: PostgreSQL leaves out schemas that it found by it.
	Path []string
	// User is the role of the session, "$user" in a search_path.
	User string
	// Relations by OID.
	Relations map[uint32]*Relation
	// FunctionsByOID are those outside pg_catalog and information_schema.
	FunctionsByOID map[uint32]*Function
	// Coercions are functions that may run wherever a value changes its type: those
	// of casts, and of the constraints of domains, by OID.
	Coercions []uint32
	// EventTriggers are functions that run at changes of the schema.
	EventTriggers []uint32

	temporary string // the schema of the session's temporary relations
	relations map[Name]*Relation
	functions map[Name][]*Function
	operators map[string][]*Operator
}

// Name is schema and name.
type Name struct{ Schema, Name string }

// Relation is a table, view, materialised view, foreign table, sequence or partition.
type Relation struct {
	OID uint32
	Name
	// Kind is pg_class.relkind: r, p, v, m, f, S, t, c.
	Kind byte
	// Temporary says that it is a session's own.
	Temporary bool
	// Columns in the order of their numbers, dropped ones left out.
	Columns []Column
	// Children are partitions and tables that inherit from it.
	Children []uint32
	// Parents are those that it inherits from.
	Parents []uint32
	// View is the query of a view, as pg_get_viewdef writes it; "" for others.
	View string
	// Reads are the columns that a view or rule depends on, by pg_depend.
	Reads []Origin
	// References are what a foreign key makes PostgreSQL touch.
	References []Reference
	// Triggers, and the rules that are not a view's own.
	Triggers []Trigger
	Rules    []Rule
	// Calls are functions that defaults, constraints, indexes, partition keys, rules
	// and conditions of triggers of the relation call, by OID: those that run when it
	// is written. ReadCalls run when it is read: of policies and virtual columns.
	Calls, ReadCalls []uint32
	// Sequences that defaults and identity columns draw from.
	Sequences []uint32
	// PolicyReads are what policies of the relation read elsewhere.
	PolicyReads []Origin
	// RowSecurity says that policies filter its rows.
	RowSecurity bool
}

// Column of a relation.
type Column struct {
	Number int16
	Name   string
	Type   uint32
	// Generated says that it is computed from others: COPY leaves it out. From are
	// these, by number.
	Generated bool
	From      []int16
}

// Origin is a column of a relation by number; 0 is the whole row.
type Origin struct {
	Relation uint32
	Column   int16
}

// Reference is a foreign key seen from the relation that has it, or from the one
// that is referenced (Incoming). Delete and Update are pg_constraint's confdeltype
// and confupdtype: 'a' no action, 'r' restrict, 'c' cascade, 'n' set null, 'd' default.
type Reference struct {
	Relation       uint32
	Incoming       bool
	Delete, Update byte
}

// Trigger is a user's trigger, or an event that fires it.
type Trigger struct {
	Name     string
	Function uint32
	// Events: any of 'i' insert, 'u' update, 'd' delete, 't' truncate.
	Events string
	// Instead says that it runs in place of the event, on a view.
	Instead bool
	Enabled bool
}

// Rule is a rewrite rule of a table.
type Rule struct {
	Name string
	// Event: 's' select, 'i' insert, 'u' update, 'd' delete.
	Event byte
	// Instead says DO INSTEAD.
	Instead bool
	// Definition as pg_get_ruledef writes it.
	Definition string
}

// Function outside PostgreSQL's own schemas.
type Function struct {
	OID uint32
	Name
	// Arguments is the number of its inputs, Defaults how many of them may be left
	// out; Variadic takes any more.
	Arguments, Defaults int
	Variadic            bool
	// Language: "sql", "plpgsql", "c", …
	Language string
	// Volatility is "immutable", "stable" or "volatile".
	Volatility string
	// Definer says SECURITY DEFINER.
	Definer bool
	// Kind is pg_proc.prokind: f, p, a, w.
	Kind byte
	// Body is prosrc; of PL/pgSQL the whole CREATE FUNCTION, as pg_get_functiondef
	// writes it. Atomic says that it is the statements of a body in BEGIN ATOMIC form
	// instead, to be read under the snapshot's path. Other languages have none.
	Body   string
	Atomic bool
	// SearchPath that it sets for itself; nil is its caller's.
	SearchPath []string
	// Settings are the names of other settings that it sets.
	Settings []string
	// Extension says that it belongs to one.
	Extension bool
	// Calls are functions that an aggregate is made of, and those that defaults of
	// arguments and a body in BEGIN ATOMIC form call, by OID.
	Calls []uint32
	// Parameters are the names of its arguments; "" for those without.
	Parameters []string
}

// Operator outside pg_catalog, and the function behind it.
type Operator struct {
	Schema, Symbol string
	Function       uint32
}
