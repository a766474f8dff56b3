package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

func read(relation string) policy.Action {
	return action("select", "SELECT", relation)
}

func action(kind string, privilege v1alpha1.RelationPrivilege, relation string) policy.Action {
	schema, name, _ := strings.Cut(relation, ".")
	return policy.Action{Protocol: "postgres", Kind: kind, Statements: 1,
		Access: []policy.Access{{Schema: schema, Name: name, Privilege: privilege}}}
}

func rule(name string, effect v1alpha1.Effect, when string) v1alpha1.Rule {
	return v1alpha1.Rule{Name: name, Effect: effect, When: when, Message: "because " + name}
}

var (
	context = policy.Context{
		Session: policy.SessionContext{User: "bob", Database: "orders", Application: "psql"},
		Task:    policy.TaskContext{ID: "PAY-1423", Type: "data-fix", Requester: "bob", Groups: []string{"engineering"}, Request: "pay-1423"},
	}
	drop     = policy.Action{Protocol: "postgres", Kind: "drop table", Statements: 1}
	begin    = policy.Action{Protocol: "postgres", Kind: "begin", Statements: 1}
	readOnly = rule("reads", "Allow", `action.kind == "select"`)
)

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rules  []v1alpha1.Rule
		action policy.Action
		want   policy.Decision
	}{
		"without rules the grant allows what it names": {
			action: read("public.orders"),
			want:   policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"what is not understood is denied, whatever the rules say": {
			rules:  []v1alpha1.Rule{rule("all", "Allow", "true")},
			action: policy.Action{Protocol: "postgres", Kind: "select", Unknown: "a strange node"},
			want:   policy.Decision{Effect: "Deny", Rule: "understood", Message: "not understood, so refused: a strange node"},
		},
		"a relation outside the grant is denied, whatever the rules say": {
			rules:  []v1alpha1.Rule{rule("all", "Allow", "true")},
			action: read("public.salaries"),
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks SELECT on public.salaries: ask for access under a policy that grants it"},
		},
		"a privilege outside the grant is named": {
			action: policy.Action{Protocol: "postgres", Kind: "delete", Access: []policy.Access{
				{Schema: "public", Name: "orders", Privilege: "SELECT"}, {Schema: "public", Name: "orders", Privilege: "DELETE"}}},
			want: policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks DELETE on public.orders: ask for access under a policy that grants it"},
		},
		"functions and sequences must be named": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"public.refund", "public.wipe"}, Sequences: []string{"public.orders_id_seq", "public.other"}},
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks EXECUTE on function public.wipe, USAGE on sequence public.other: ask for access under a policy that grants it"},
		},
		"granted functions and sequences are allowed": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"public.refund"}, Sequences: []string{"public.orders_id_seq"}},
			want:   policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"a kind that the grant does not know is denied": {
			rules:  []v1alpha1.Rule{rule("all", "Allow", "true")},
			action: drop,
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "drop table is outside the grant, which covers the rows of named relations: ask for access under a policy that grants it"},
		},
		"another protocol is denied": {
			action: policy.Action{Protocol: "ssh", Kind: "select"},
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the policy grants nothing for protocol ssh: ask for access under a policy that grants it"},
		},
		"system catalogs are readable": {
			action: read("pg_catalog.pg_class"),
			want:   policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"catalogs that hold secrets are not": {
			action: read("pg_catalog.pg_authid"),
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks SELECT on pg_catalog.pg_authid: ask for access under a policy that grants it"},
		},
		"catalogs that hold samples of the data are not": {
			action: read("pg_catalog.pg_stats"),
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks SELECT on pg_catalog.pg_stats: ask for access under a policy that grants it"},
		},
		"catalogs cannot be written": {
			action: action("update", "UPDATE", "pg_catalog.pg_settings"),
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks UPDATE on pg_catalog.pg_settings: ask for access under a policy that grants it"},
		},
		"Deny wins over Hold and Allow": {
			rules:  []v1alpha1.Rule{rule("a", "Allow", "true"), rule("h", "Hold", "true"), rule("d", "Deny", `"public.orders" in action.writes`)},
			action: action("update", "UPDATE", "public.orders"),
			want:   policy.Decision{Effect: "Deny", Rule: "d", Message: "because d", Matched: []string{"a", "h", "d"}},
		},
		"Hold wins over Allow": {
			rules:  []v1alpha1.Rule{rule("a", "Allow", "true"), rule("h", "Hold", "!action.hasWhere")},
			action: action("update", "UPDATE", "public.orders"),
			want:   policy.Decision{Effect: "Hold", Rule: "h", Message: "because h", Matched: []string{"a", "h"}},
		},
		"with an Allow rule, what none names is denied": {
			rules:  []v1alpha1.Rule{readOnly},
			action: action("update", "UPDATE", "public.orders"),
			want:   policy.Decision{Effect: "Deny", Rule: "default", Message: "no Allow rule of the policy names this update: change the statement, or ask for access under another policy"},
		},
		"with an Allow rule, what it names is allowed": {
			rules:  []v1alpha1.Rule{readOnly},
			action: read("public.orders"),
			want:   policy.Decision{Effect: "Allow", Rule: "reads", Message: "because reads", Matched: []string{"reads"}},
		},
		"transaction control needs no Allow rule": {
			rules:  []v1alpha1.Rule{readOnly},
			action: begin,
			want:   policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"transaction control can be denied by a rule": {
			rules:  []v1alpha1.Rule{rule("no-tx", "Deny", `action.kind == "begin"`)},
			action: begin,
			want:   policy.Decision{Effect: "Deny", Rule: "no-tx", Message: "because no-tx", Matched: []string{"no-tx"}},
		},
		"an evaluation error denies": {
			rules:  []v1alpha1.Rule{rule("all", "Allow", "true"), rule("broken", "Allow", `action.access[7].name == "x"`)},
			action: read("public.orders"),
			want: policy.Decision{Effect: "Deny", Rule: "broken", Matched: []string{"all", "broken"},
				Message: "the rule could not be evaluated, so it denies: index out of bounds: 7: tell the policy's owner"},
		},
		"rules see session and task": {
			rules: []v1alpha1.Rule{rule("d", "Deny", `session.user == "bob" && session.database == "orders" && session.application == "psql" &&
				task.id == "PAY-1423" && task.type == "data-fix" && "engineering" in task.groups && task.request == "pay-1423" && task.url == "" &&
				action.protocol == "postgres" && action.statements == 1 && action.position == 0 && size(action.functions) == 0 &&
				action.access.all(a, a.privilege == "SELECT" && a.schema == "public" && a.relation == "public.orders") &&
				sets.intersects(action.reads, ["public.orders"]) && action.relations == ["public.orders"]`)},
			action: read("public.orders"),
			want:   policy.Decision{Effect: "Deny", Rule: "d", Message: "because d", Matched: []string{"d"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.Policy = "orders-fix"
			got := mustCompile(t, spec(test.rules...)).Decide(test.action, context)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnforcedTurnsAHoldIntoADenialThatSaysSo(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, spec(rule("h", "Hold", "true")))
	held := p.Decide(read("public.orders"), context)
	want := held
	want.Effect, want.Message = "Deny", "held operations are not served yet: denied (because h)"
	if diff := cmp.Diff(want, held.Enforced()); diff != "" {
		t.Errorf("enforced (-want +got):\n%s", diff)
	}
	allowed := mustCompile(t, spec()).Decide(read("public.orders"), context)
	if diff := cmp.Diff(allowed, allowed.Enforced()); diff != "" {
		t.Errorf("an Allow changed:\n%s", diff)
	}
}

func TestExplainNamesPolicyRuleReasonAndMatches(t *testing.T) {
	t.Parallel()
	d := mustCompile(t, spec(rule("a", "Allow", "true"), rule("d", "Deny", "true"))).Decide(read("public.orders"), context)
	want := []string{"Deny by policy orders-fix, rule d", "because d", "rules that hold: a, d"}
	if diff := cmp.Diff(want, d.Explain()); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestAnExpressionThatCostsTooMuchAtRunTimeDenies(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, spec(rule("pairs", "Allow", `action.relations.all(a, action.relations.all(b, a + b != ""))`)))
	wide := policy.Action{Protocol: "postgres", Kind: "select"}
	for i := range 2000 {
		wide.Access = append(wide.Access, policy.Access{Schema: "pg_catalog", Name: strings.Repeat("x", 1+i%60) + string(rune('a'+i/60)), Privilege: "SELECT"})
	}
	d := p.Decide(wide, context)
	if d.Effect != v1alpha1.EffectDeny || d.Rule != "pairs" || !strings.Contains(d.Message, "cost") {
		t.Errorf("decision: %+v", d)
	}
}
