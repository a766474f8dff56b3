package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// fill gives every field below v a value, and returns one function for each that changes
// that field alone.
func fill(t *testing.T, v reflect.Value, path string) (changes map[string]func()) {
	changes = map[string]func(){}
	add := func(more map[string]func()) { maps.Copy(changes, more) }
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			add(fill(t, v.Field(i), path+"."+v.Type().Field(i).Name))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 2))
		add(fill(t, v.Index(0), path+"[0]"))
		changes[path] = func() { v.Set(v.Slice(0, 2)) }
	case reflect.String:
		v.SetString(path)
		changes[path] = func() { v.SetString(path + "?") }
	case reflect.Bool:
		changes[path] = func() { v.SetBool(true) }
	case reflect.Int:
		changes[path] = func() { v.SetInt(7) }
	case reflect.Pointer:
		// An operation of SSH: its decision is never remembered.
	default:
		t.Fatalf("%s is a %s: say here how it changes, and add it to the question", path, v.Kind())
	}
	return changes
}

func TestEveryFieldThatARuleCanReadIsPartOfTheQuestion(t *testing.T) {
	t.Parallel()
	var a Action
	var c Context
	question := func() string { return string(appendTask(appendSession(appendAction(nil, &a), &c.Session), &c.Task)) }
	all := func() []string {
		a, c = Action{}, Context{}
		names := []string{}
		for name := range fill(t, reflect.ValueOf(&a).Elem(), "action") {
			names = append(names, name)
		}
		for name := range fill(t, reflect.ValueOf(&c).Elem(), "context") {
			names = append(names, name)
		}
		return names
	}
	seen := map[string]string{}
	for _, name := range all() {
		a, c = Action{}, Context{}
		changes := fill(t, reflect.ValueOf(&a).Elem(), "action")
		maps.Copy(changes, fill(t, reflect.ValueOf(&c).Elem(), "context"))
		before := question()
		changes[name]()
		after := question()
		if ofBinds := len(name) >= 12 && name[:12] == "action.Binds"; ofBinds != (before == after) {
			t.Errorf("%s: the question is the same: %v", name, before == after)
		}
		if other, taken := seen[after]; taken && after != before {
			t.Errorf("%s reads like %s", name, other)
		}
		seen[after] = name
	}
}

func TestTextsThatRunIntoEachOtherAreOtherQuestions(t *testing.T) {
	t.Parallel()
	actions := []Action{
		{Functions: []string{"a", "b"}}, {Functions: []string{"ab"}}, {Functions: []string{"a"}, Sequences: []string{"b"}},
		{Functions: []string{""}}, {Functions: []string{"", ""}}, {Settings: []string{""}}, {Kind: "ab"}, {Protocol: "a", Kind: "b"},
		{Access: []Access{{Schema: "a", Name: "b"}}}, {Columns: []ColumnUse{{Schema: "a", Relation: "b"}}}, {Calls: []Call{{Function: "a"}}},
	}
	var questions []string
	for _, a := range actions {
		questions = append(questions, string(appendAction(nil, &a)))
	}
	slices.Sort(questions)
	if n := len(slices.Compact(questions)); n != len(actions) {
		t.Errorf("%d questions of %d actions", n, len(actions))
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	p := compiled(t, `action.kind == "drop"`)
	for i := range 3 * maxMemories {
		p.Decide(Action{Protocol: "postgres", Kind: fmt.Sprint(i)}, Context{})
		if n := len(p.memo.decisions); n > maxMemories {
			t.Fatalf("%d decisions", n)
		}
	}
	long := Action{Protocol: "postgres", Kind: "select", Opaque: string(make([]byte, maxMemoryKey+1))}
	before := len(p.memo.decisions)
	p.Decide(long, Context{})
	if len(p.memo.decisions) != before || cap(p.memo.room) > 2*maxMemoryKey {
		t.Error("a long question is kept")
	}
}

func TestAnActionWithValuesIsRememberedOnlyWhereNoRuleReadsThem(t *testing.T) {
	t.Parallel()
	for when, remembered := range map[string]int{`action.kind == "x"`: 1, `action.binds.size() > 3`: 0} {
		p := compiled(t, when)
		p.Decide(Action{Protocol: "postgres", Kind: "select", Binds: []Value{{Text: "7"}}}, Context{})
		if n := len(p.memo.decisions); n != remembered {
			t.Errorf("%s: %d", when, n)
		}
	}
}

func TestADecisionThatIsKnownMakesNoGarbage(t *testing.T) {
	p := compiled(t, `action.kind == "select" && size(action.reads) > 4`)
	a := Action{Protocol: "postgres", Kind: "select", Access: []Access{{Schema: "public", Name: "orders", Privilege: v1alpha1.PrivilegeSelect}}}
	if n := testing.AllocsPerRun(100, func() { p.Decide(a, Context{}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func compiled(t *testing.T, when string) *Policy {
	t.Helper()
	p, err := Compile("p", v1alpha1.AccessPolicySpec{
		TaskTypes: []string{"read"}, Targets: []string{"orders"},
		Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Relations: []v1alpha1.RelationGrant{
			{Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}}}}},
		Rules:   []v1alpha1.Rule{{Name: "rule", When: when, Effect: v1alpha1.EffectDeny}},
		Review:  v1alpha1.ReviewPolicy{AutoApprove: "true"},
		Session: v1alpha1.SessionPolicy{MaxDurationSeconds: 60},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
