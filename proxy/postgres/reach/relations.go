package reach

import (
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

// touch follows one event of a relation.
func (w *walk) touch(r *catalog.Relation, event byte, at origin) {
	if w.done[step{oid: r.OID, event: event}] || !w.spend(at) {
		return
	}
	w.done[step{oid: r.OID, event: event}] = true
	if !at.top {
		w.add(policy.Access{Schema: r.Schema, Name: r.Name.Name, Privilege: privilegeOf(event), Via: at.via})
	}
	name := r.Schema + "." + r.Name.Name
	for _, oid := range r.Parents {
		if parent := w.snapshot.Relation(oid); parent != nil {
			w.touch(parent, aboveOf(event), at.through("%s is a part of it", name))
		}
	}
	if system(r) {
		return
	}
	w.belongings(r, event, at.through("table %s", name))
	if event == above || event == aboveWriting {
		return
	}
	switch {
	case event == owning || event == maintaining:
		if r.Kind == 'm' {
			w.viewReads(w.view(r), at.through("%s", name))
		}
		w.parts(r, event, at.through("a part of %s", name))
		for _, reference := range r.References {
			if other := w.snapshot.Relation(reference.Relation); other != nil {
				w.touch(other, above, at.through("a foreign key of %s", name))
			}
		}
		return
	case r.Kind == 'v':
		w.throughView(r, event, at)
		w.fire(r, event, at)
		w.draw(r, event)
		return
	}
	w.parts(r, event, at.through("a part of %s", name))
	if changes(event) {
		w.fire(r, event, at)
		w.keys(r, event, at)
		w.draw(r, event)
	}
}

// system says that a relation is PostgreSQL's own, behind which the catalog does not
// look.
func system(r *catalog.Relation) bool {
	return r.Schema == "pg_catalog" || r.Schema == "information_schema"
}

// belongings are functions and relations that a relation's own definition makes run.
func (w *walk) belongings(r *catalog.Relation, event byte, at origin) {
	for _, oid := range r.ReadCalls {
		w.call(oid, at)
	}
	for _, on := range r.PolicyReads {
		if relation := w.snapshot.Relation(on.Relation); relation != nil {
			policyAt := at.through("a policy of %s.%s", r.Schema, r.Name.Name)
			w.touch(relation, reading, policyAt)
			w.column(policy.ColumnUse{Schema: relation.Schema, Relation: relation.Name.Name, Column: relation.ByNumber(on.Column), Use: policy.UseFilter}, policyAt)
		}
	}
	for _, oid := range r.Calls {
		// The planner evaluates immutable ones of constraints and indexes when it reads.
		if f := w.snapshot.Function(oid); changes(event) || r.Kind == 'v' || f != nil && f.Volatility == "immutable" {
			w.call(oid, at)
		}
	}
}

// parts are partitions, and tables that inherit: an INSERT goes down to partitions
// only, and an UPDATE moves rows between them.
func (w *walk) parts(r *catalog.Relation, event byte, at origin) {
	if event == inserting && r.Kind != 'p' {
		return
	}
	for _, oid := range r.Children {
		child := w.snapshot.Relation(oid)
		if child == nil {
			w.conceal("a part of %s.%s is not in the target's catalog as this session has read it", r.Schema, r.Name.Name)
			continue
		}
		w.touch(child, event, at)
		if event == updating && r.Kind == 'p' {
			w.touch(child, deleting, at)
			w.touch(child, inserting, at)
		}
	}
}

// keys follows foreign keys: those of the relation are looked up at the other end,
// and what refers to it is looked for, and changed where the key says so.
func (w *walk) keys(r *catalog.Relation, event byte, at origin) {
	for _, reference := range r.References {
		other := w.snapshot.Relation(reference.Relation)
		if other == nil {
			continue
		}
		at := at.through("a foreign key of %s.%s", r.Schema, r.Name.Name)
		if !reference.Incoming {
			if event == inserting || event == updating {
				w.touch(other, reading, at)
			}
			continue
		}
		action := reference.Delete
		switch event {
		case updating:
			action = reference.Update
		case deleting:
		case truncating:
			w.touch(other, truncating, at)
			continue
		default:
			continue
		}
		w.touch(other, reading, at)
		switch {
		case action == 'c' && event == deleting:
			w.touch(other, deleting, at)
		case action == 'c', action == 'n', action == 'd':
			w.touch(other, updating, at)
		}
	}
}

// draw notes the sequences of defaults and identity columns.
func (w *walk) draw(r *catalog.Relation, event byte) {
	if event != inserting && event != updating {
		return
	}
	for _, oid := range r.Sequences {
		if sequence := w.snapshot.Relation(oid); sequence != nil {
			w.add(policy.Access{Schema: sequence.Schema, Name: sequence.Name.Name, Privilege: privilegeOf(updating), Via: "a default of " + r.Schema + "." + r.Name.Name})
		}
	}
}

// fire follows triggers and rules.
func (w *walk) fire(r *catalog.Relation, event byte, at origin) {
	for _, trigger := range r.Triggers {
		if trigger.Enabled && fires(trigger.Events, event) {
			at := at.through("trigger %s on %s.%s", trigger.Name, r.Schema, r.Name.Name)
			at.row = r
			w.call(trigger.Function, at)
		}
	}
	for _, rule := range r.Rules {
		if rule.Event == event {
			at := at.through("rule %s on %s.%s", rule.Name, r.Schema, r.Name.Name)
			at.row, at.inside = r, true
			w.rule(rule, at)
		}
	}
}
