package catalog

import "slices"

// The OIDs of catalogs, as PostgreSQL's headers fix them.
const (
	classType       = 1247
	classProc       = 1255
	classClass      = 1259
	classAttrdef    = 2604
	classConstraint = 2606
	classOperator   = 2617
	classRewrite    = 2618
	classTrigger    = 2620
	classPolicy     = 3256
)

// object is a row of pg_depend's left or right side.
type object struct{ class, oid uint32 }

// owner is what an object belongs to, and when it matters there. What it depends on
// does not count where it is But.
type owner struct {
	kind     ownership
	relation uint32
	column   int16
	but      uint32
}

type ownership int

const (
	writing ownership = iota + 1
	reading
	defaulting
	policing
	ruling
	coercing
)

// own notes that the object of a field belongs to something.
func (l *loader) own(class uint32, f fields, i int, by owner) error {
	oid, err := f.oid(i)
	l.owners[object{class, oid}] = by
	return err
}

func (l *loader) attributeDefault(f fields) error {
	relation, err := f.oid(1)
	if err != nil {
		return err
	}
	number, err := f.number(2)
	if err != nil {
		return err
	}
	column := int16(number)
	kind := defaulting
	if l.virtual[Origin{relation, column}] {
		kind = reading
	}
	return l.own(classAttrdef, f, 0, owner{kind: kind, relation: relation, column: column})
}

func (l *loader) policy(f fields) error {
	relation, err := f.oid(1)
	if err != nil {
		return err
	}
	return l.own(classPolicy, f, 0, owner{kind: policing, relation: relation, but: relation})
}

func (l *loader) index(f fields) error {
	relation, err := f.oid(1)
	if err != nil {
		return err
	}
	return l.own(classClass, f, 0, owner{kind: writing, relation: relation})
}

func (l *loader) domain(f fields) error { return l.own(classType, f, 0, owner{kind: coercing}) }

// ownerOf an object: partition keys depend as their table does.
func (l *loader) ownerOf(o object) owner {
	if by, ok := l.owners[o]; ok {
		return by
	}
	if o.class == classClass && l.relations[o.oid] != nil {
		return owner{kind: writing, relation: o.oid, but: o.oid}
	}
	return owner{}
}

func (l *loader) dependency(f fields) error {
	var oids [4]uint32
	for i := range oids {
		var err error
		if oids[i], err = f.oid(i); err != nil {
			return err
		}
	}
	number, err := f.number(4)
	if err != nil {
		return err
	}
	column := int16(number)
	object, on := object{oids[0], oids[1]}, object{oids[2], oids[3]}
	if function := l.functions[object.oid]; object.class == classProc && function != nil {
		add(&function.Calls, l.called(on), object.oid)
		return nil
	}
	by := l.ownerOf(object)
	if by.but == on.oid {
		return nil
	}
	if by.kind == coercing {
		add(&l.coercions, l.called(on), 0)
		return nil
	}
	r := l.relations[by.relation]
	switch {
	case r == nil:
	case on.class == classClass:
		l.dependsOn(r, by, Origin{Relation: on.oid, Column: column})
	case by.kind == reading || by.kind == policing:
		add(&r.ReadCalls, l.called(on), 0)
	case by.kind != 0:
		add(&r.Calls, l.called(on), 0)
	}
	return nil
}

// add notes a function once; none is 0.
func add(list *[]uint32, function, but uint32) {
	if function != 0 && function != but && !slices.Contains(*list, function) {
		*list = append(*list, function)
	}
}

// called is the function that a dependency means, 0 for PostgreSQL's own.
func (l *loader) called(on object) uint32 {
	oid := on.oid
	if on.class == classOperator {
		oid = l.operatorFunctions[oid]
	}
	if l.functions[oid] == nil {
		return 0
	}
	return oid
}

func (l *loader) dependsOn(r *Relation, by owner, on Origin) {
	target := l.relations[on.Relation]
	switch {
	case target == nil:
	case by.kind == ruling:
		r.Reads = append(r.Reads, on)
	case by.kind == policing:
		r.PolicyReads = append(r.PolicyReads, on)
	case target == r && on.Column != 0 && on.Column != by.column:
		for i := range r.Columns {
			if c := &r.Columns[i]; c.Number == by.column && c.Generated {
				c.From = append(c.From, on.Column)
			}
		}
	case target.Kind == 'S' && !slices.Contains(r.Sequences, on.Relation):
		r.Sequences = append(r.Sequences, on.Relation)
	}
}
