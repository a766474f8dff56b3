package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// A kind is a type of expressions: its fields are made when an expression asks for
// them, so that an evaluation costs what it uses.
type kind struct {
	is     *types.Type
	fields map[string]field
	// equal compares two native values of the kind.
	equal func(a, b any) bool
}

// A field's value comes from the native value of its kind.
type field struct {
	is  *types.Type
	get func(any) ref.Val
}

// newKind is the kind of native values of type *T.
func newKind[T comparable](name string, fields map[string]field) *kind {
	return &kind{is: types.NewObjectType(name), fields: fields, equal: func(a, b any) bool {
		x, ok := a.(*T)
		y, also := b.(*T)
		return ok && also && *x == *y
	}}
}

func text[T any](get func(*T) string) field {
	return field{types.StringType, func(v any) ref.Val { return types.String(get(v.(*T))) }}
}

func truth[T any](get func(*T) bool) field {
	return field{types.BoolType, func(v any) ref.Val { return types.Bool(get(v.(*T))) }}
}

func number[T any](get func(*T) int64) field {
	return field{types.IntType, func(v any) ref.Val { return types.Int(get(v.(*T))) }}
}

func texts[T any](get func(*T) []string) field {
	return field{types.NewListType(types.StringType), func(v any) ref.Val { return textList(get(v.(*T))) }}
}

func objects[T, E any](of *kind, get func(*T) []E) field {
	return field{types.NewListType(of.is), func(v any) ref.Val { return objectList(of, get(v.(*T))) }}
}

func textList(items []string) ref.Val {
	return types.NewStringList(types.DefaultTypeAdapter, items)
}

func objectList[E any](of *kind, items []E) ref.Val {
	elements, values := make([]object, len(items)), make([]ref.Val, len(items))
	for i := range items {
		elements[i] = object{kind: of, native: &items[i]}
		values[i] = &elements[i]
	}
	return types.NewRefValList(types.DefaultTypeAdapter, values)
}

// object is a value of a kind.
type object struct {
	*kind
	native any
}

// ConvertToNative fails: nothing outside of expressions takes objects.
func (o *object) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s is not to be had as %v", o.is.TypeName(), to)
}

// ConvertToType knows the object's own type alone.
func (o *object) ConvertToType(to ref.Type) ref.Val {
	switch to.TypeName() {
	case o.is.TypeName():
		return o
	case types.TypeType.TypeName():
		return o.is
	}
	return types.NewErr("%s cannot become %s", o.is.TypeName(), to.TypeName())
}

// Equal compares with another object of the same kind.
func (o *object) Equal(other ref.Val) ref.Val {
	same, ok := other.(*object)
	return types.Bool(ok && same.kind == o.kind && o.equal(o.native, same.native))
}

// Type is the kind's.
func (o *object) Type() ref.Type { return o.is }

// Value is the native value, which the fields read.
func (o *object) Value() any { return o.native }

// provider tells CEL of kinds beside its own types.
type provider struct {
	*types.Registry
	kinds map[string]*kind
}

// FindStructType finds a kind by name.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if k, ok := p.kinds[name]; ok {
		return types.NewTypeTypeWithParam(k.is), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames lists a kind's fields.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if k, ok := p.kinds[name]; ok {
		return slices.Sorted(maps.Keys(k.fields)), true
	}
	return p.Registry.FindStructFieldNames(name)
}

// FindStructFieldType finds a kind's field; has() of it says that it is not empty.
func (p provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	k, ok := p.kinds[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, fieldName)
	}
	f, ok := k.fields[fieldName]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type:    f.is,
		GetFrom: func(v any) (any, error) { return f.get(v), nil },
		IsSet: func(v any) bool {
			zero, ok := f.get(v).(traits.Zeroer)
			return !ok || !zero.IsZeroValue()
		},
	}, true
}
