package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func (l *loader) session(f fields) error {
	l.user, l.temporary = f[0], f[1]
	return nil
}

func (l *loader) relation(f fields) error {
	oid, err := f.oid(0)
	if err != nil {
		return err
	}
	r := &Relation{OID: oid, Name: Name{f[1], f[2]}, Kind: f.char(3), Temporary: f.is(4), RowSecurity: f.is(5)}
	l.relations[oid] = r
	l.order = append(l.order, r)
	return nil
}

// of returns the relation of a field, nil where it was left out.
func (l *loader) of(f fields, i int) (*Relation, error) {
	oid, err := f.oid(i)
	if err != nil {
		return nil, err
	}
	return l.relations[oid], nil
}

func (l *loader) column(f fields) error {
	r, err := l.of(f, 0)
	if r == nil {
		return err
	}
	number, err := f.number(1)
	if err != nil {
		return err
	}
	kind, err := f.oid(3)
	if err != nil {
		return err
	}
	if f[4] == "v" {
		l.virtual[Origin{r.OID, int16(number)}] = true
	}
	r.Columns = append(r.Columns, Column{Number: int16(number), Name: f[2], Type: kind, Generated: f[4] != ""})
	return nil
}

func (l *loader) inherits(f fields) error {
	child, err := l.of(f, 0)
	if child == nil {
		return err
	}
	parent, err := l.of(f, 1)
	if parent == nil {
		return err
	}
	parent.Children = append(parent.Children, child.OID)
	child.Parents = append(child.Parents, parent.OID)
	return nil
}

func (l *loader) constraint(f fields) error {
	relation, err := f.oid(2)
	if err != nil {
		return err
	}
	domain, err := f.oid(3)
	if err != nil {
		return err
	}
	kind := writing
	if domain != 0 {
		kind = coercing
	}
	if err := l.own(classConstraint, f, 0, owner{kind: kind, relation: relation}); err != nil || f.char(1) != 'f' {
		return err
	}
	from, err := l.of(f, 2)
	if from == nil {
		return err
	}
	to, err := l.of(f, 4)
	if to == nil {
		return err
	}
	onDelete, onUpdate := f.char(5), f.char(6)
	from.References = append(from.References, Reference{Relation: to.OID, Delete: onDelete, Update: onUpdate})
	to.References = append(to.References, Reference{Relation: from.OID, Incoming: true, Delete: onDelete, Update: onUpdate})
	return nil
}

var volatilities = map[byte]string{'i': "immutable", 's': "stable", 'v': "volatile"}

func (l *loader) function(f fields) error {
	oid, err := f.oid(0)
	if err != nil {
		return err
	}
	function := &Function{
		OID: oid, Name: Name{f[1], f[2]}, Variadic: f.is(5), Language: f[6], Volatility: volatilities[f.char(7)],
		Definer: f.is(8), Kind: f.char(9), Extension: f.is(15),
	}
	if function.Arguments, err = f.number(3); err != nil {
		return err
	}
	if function.Defaults, err = f.number(4); err != nil {
		return err
	}
	if err := function.configure(f[12], f[13], l.user); err != nil {
		return err
	}
	if f[14] != "" {
		if err := json.Unmarshal([]byte(f[14]), &function.Parameters); err != nil {
			return err
		}
	}
	if function.Language == "sql" || function.Language == "plpgsql" {
		function.Body = f[10]
		if f[11] != "" {
			function.Body, function.Atomic = atomicBody(f[11]), true
		}
		if function.Body, err = l.keep(function.Body); err != nil {
			return err
		}
	}
	l.functions[oid] = function
	l.functionOrder = append(l.functionOrder, function)
	return nil
}

// atomicBody is the statements of a body as PostgreSQL prints it.
func atomicBody(body string) string {
	text := strings.TrimSpace(body)
	if inner, ok := strings.CutPrefix(text, "BEGIN ATOMIC"); ok {
		return strings.TrimSuffix(inner, "END")
	}
	if value, ok := strings.CutPrefix(text, "RETURN "); ok {
		return "SELECT " + value
	}
	return text
}

// configure reads the settings of a function, a JSON list of name=value.
func (f *Function) configure(config, owner, user string) error {
	if config == "" {
		return nil
	}
	var settings []string
	if err := json.Unmarshal([]byte(config), &settings); err != nil {
		return err
	}
	if f.Definer {
		user = owner
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		if name = strings.ToLower(name); name != "search_path" {
			f.Settings = append(f.Settings, name)
			continue
		}
		f.SearchPath = []string{}
		for _, schema := range identifiers(value) {
			if schema == "$user" {
				schema = user
			}
			f.SearchPath = append(f.SearchPath, schema)
		}
	}
	return nil
}

// identifiers of a list as settings hold it: "a", "B c", "".
func identifiers(list string) []string {
	var out []string
	for list = strings.TrimSpace(list); list != ""; list = strings.TrimSpace(list) {
		var name string
		if list[0] == '"' {
			end := 1
			for end < len(list) && (list[end] != '"' || end+1 < len(list) && list[end+1] == '"') {
				if list[end] == '"' {
					end++
				}
				end++
			}
			name = strings.ReplaceAll(list[1:min(end, len(list))], `""`, `"`)
			list = list[min(end+1, len(list)):]
		} else {
			end := strings.IndexByte(list+",", ',')
			name = strings.ToLower(strings.TrimSpace(list[:end]))
			list = list[end:]
		}
		out = append(out, name)
		list = strings.TrimPrefix(strings.TrimSpace(list), ",")
	}
	return out
}

func (l *loader) aggregate(f fields) error {
	oid, err := f.oid(0)
	if err != nil {
		return err
	}
	parts, err := f.oids(1)
	if err != nil || l.functions[oid] == nil {
		return err
	}
	for _, part := range parts {
		if function := l.functions[oid]; l.functions[part] != nil && !slices.Contains(function.Calls, part) {
			function.Calls = append(function.Calls, part)
		}
	}
	return nil
}

func (l *loader) operator(f fields) error {
	oid, err := f.oid(0)
	if err != nil {
		return err
	}
	function, err := f.oid(3)
	if err != nil {
		return err
	}
	l.operatorFunctions[oid] = function
	l.operators = append(l.operators, &Operator{Schema: f[1], Symbol: f[2], Function: function})
	return nil
}

// The bits of pg_trigger.tgtype.
var triggerEvents = []struct {
	bit   int
	event string
}{{4, "i"}, {8, "d"}, {16, "u"}, {32, "t"}}

const triggerInstead = 64

func (l *loader) trigger(f fields) error {
	r, err := l.of(f, 1)
	if r == nil {
		return err
	}
	function, err := f.oid(3)
	if err != nil {
		return err
	}
	bits, err := f.number(4)
	if err != nil {
		return err
	}
	t := Trigger{Name: f[2], Function: function, Instead: bits&triggerInstead != 0, Enabled: f.char(5) != 'D'}
	for _, e := range triggerEvents {
		if bits&e.bit != 0 {
			t.Events += e.event
		}
	}
	r.Triggers = append(r.Triggers, t)
	return l.own(classTrigger, f, 0, owner{kind: writing, relation: r.OID, but: function})
}

// ruleEvents by pg_rewrite.ev_type.
var ruleEvents = map[byte]byte{'1': 's', '2': 'u', '3': 'i', '4': 'd'}

func (l *loader) rule(f fields) error {
	r, err := l.of(f, 1)
	if r == nil {
		return err
	}
	if err := l.own(classRewrite, f, 0, owner{kind: ruling, relation: r.OID, but: r.OID}); err != nil {
		return err
	}
	definition, err := l.keep(f[5])
	if err != nil {
		return err
	}
	if f[2] == "_RETURN" {
		r.View = definition
		return nil
	}
	r.Rules = append(r.Rules, Rule{Name: f[2], Event: ruleEvents[f.char(3)], Instead: f.is(4), Definition: definition})
	return nil
}

func (l *loader) identity(f fields) error {
	r, err := l.of(f, 0)
	if r == nil {
		return err
	}
	sequence, err := f.oid(1)
	if err != nil {
		return err
	}
	if l.relations[sequence] == nil {
		return fmt.Errorf("the sequence %d of %s.%s is not there", sequence, r.Schema, r.Name.Name)
	}
	if !slices.Contains(r.Sequences, sequence) {
		r.Sequences = append(r.Sequences, sequence)
	}
	return nil
}

func (l *loader) coercion(f fields) error {
	oid, err := f.oid(0)
	if err != nil {
		return err
	}
	if l.functions[oid] != nil && !slices.Contains(l.coercions, oid) {
		l.coercions = append(l.coercions, oid)
	}
	return nil
}

func (l *loader) eventTrigger(f fields) error {
	oid, err := f.oid(0)
	if err != nil {
		return err
	}
	l.events = append(l.events, oid)
	return nil
}
