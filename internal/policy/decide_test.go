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
		"a lock is covered by the relations that it names": {
			action: action("lock", "SELECT", "public.orders"),
			want:   policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"a lock on a relation outside the grant is denied": {
			action: action("lock", "SELECT", "public.salaries"),
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks SELECT on public.salaries: ask for access under a policy that grants it"},
		},
		"a lock on nothing is denied": {
			action: policy.Action{Protocol: "postgres", Kind: "lock"},
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "lock is outside the grant, which covers the rows of named relations: ask for access under a policy that grants it"},
		},
		"another protocol is denied": {
			action: policy.Action{Protocol: "ssh", Kind: "select"},
			want:   policy.Decision{Effect: "Deny", Rule: "grant", Message: "the policy grants nothing for protocol ssh: ask for access under a policy that grants it"},
		},
		"what is reached behind something else is its owner's to give": {
			action: policy.Action{Protocol: "postgres", Kind: "update", Access: []policy.Access{
				{Schema: "public", Name: "orders", Privilege: "UPDATE"},
				{Schema: "audit", Name: "log", Privilege: "INSERT", Via: "trigger log on public.orders"}}},
			want: policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"what is reached behind something else and named, too, must be granted": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Access: []policy.Access{
				{Schema: "audit", Name: "log", Privilege: "SELECT", Via: "view public.v"}, {Schema: "audit", Name: "log", Privilege: "SELECT"}}},
			want: policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks SELECT on audit.log: ask for access under a policy that grants it"},
		},
		"what is granted stays granted when it is reached, too": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Access: []policy.Access{
				{Schema: "public", Name: "orders", Privilege: "SELECT"}, {Schema: "public", Name: "orders", Privilege: "SELECT", Via: "view public.v"}}},
			want: policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"rules see what is reached behind something else": {
			rules: []v1alpha1.Rule{rule("log", "Deny", `"audit.log" in action.writes && "audit.log" in action.relations &&
				action.access.exists(a, a.via.startsWith("trigger "))`)},
			action: policy.Action{Protocol: "postgres", Kind: "update", Access: []policy.Access{
				{Schema: "audit", Name: "log", Privilege: "INSERT", Via: "trigger log on public.orders"}}},
			want: policy.Decision{Effect: "Deny", Rule: "log", Message: "because log", Matched: []string{"log"}},
		},
		"a function that cannot be looked into is called where the grant names it": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"public.refund"}, Opaque: "written in C",
				Calls: []policy.Call{{Function: "public.refund", Opaque: true}, {Function: "audit.note", Via: "function public.refund"}}},
			want: policy.Decision{Effect: "Allow", Rule: "grant"},
		},
		"a function that cannot be looked into must be named, wherever it runs": {
			action: policy.Action{Protocol: "postgres", Kind: "update", Opaque: "written in C",
				Access: []policy.Access{{Schema: "public", Name: "orders", Privilege: "UPDATE"}},
				Calls:  []policy.Call{{Function: "audit.note", Via: "trigger log on public.orders", Opaque: true}}},
			want: policy.Decision{Effect: "Deny", Rule: "grant",
				Message: "the grant lacks EXECUTE on function audit.note, which cannot be looked into (written in C): ask for access under a policy that grants it"},
		},
		"a function that cannot be looked into is missed once": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"audit.note"}, Opaque: "written in C",
				Calls: []policy.Call{{Function: "audit.note", Opaque: true}}},
			want: policy.Decision{Effect: "Deny", Rule: "grant", Message: "the grant lacks EXECUTE on function audit.note: ask for access under a policy that grants it"},
		},
		"where it is not told which function that is, all must be named": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Opaque: "SQL made at run time",
				Calls: []policy.Call{{Function: "public.refund"}, {Function: "audit.note"}}},
			want: policy.Decision{Effect: "Deny", Rule: "grant",
				Message: "the grant lacks EXECUTE on function audit.note, which cannot be looked into (SQL made at run time): ask for access under a policy that grants it"},
		},
		"what cannot be looked into and is no function is denied": {
			action: policy.Action{Protocol: "postgres", Kind: "select", Opaque: "SQL made at run time"},
			want: policy.Decision{Effect: "Deny", Rule: "grant",
				Message: "the grant lacks what cannot be looked into (SQL made at run time): ask for access under a policy that grants it"},
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
		"rules may pass parts of the action on": {
			rules: []v1alpha1.Rule{rule("d", "Deny", `(true ? action : action).kind == "select" && action.access.filter(a, a.via == "")[0].name == "orders" &&
				action.access.map(a, a.relation) == action.relations && action.access[0] == action.access[0] && action == action && dyn(action) != dyn(task) &&
				action.access.exists_one(a, a == action.access[0]) && type(action) != type(task)`)},
			action: read("public.orders"),
			want:   policy.Decision{Effect: "Deny", Rule: "d", Message: "because d", Matched: []string{"d"}},
		},
		"rules see all of the action": {
			rules: []v1alpha1.Rule{rule("d", "Deny", `action.hasLimit && !action.hasWhere && action.opaque == "C" && !session.inTransaction &&
				action.columns.exists(c, c.schema == "public" && c.relation == "orders" && c.column == "total" && c.use == "output") &&
				action.calls == [action.calls[0]] && action.calls.all(c, c.function == "public.refund" && c.volatility == "volatile" && c.definer && c.opaque && c.via == "") &&
				action.binds.map(b, b.text) == ["7", "", ""] && action.binds[1].isNull && action.binds[2].binary && !action.binds[0].isNull &&
				action.settings == ["timezone"] && action.sequences == [] && has(action.opaque) && !has(action.sequences) && !has(action.access[0].via)`)},
			action: policy.Action{Protocol: "postgres", Kind: "select", Statements: 1, HasLimit: true, Opaque: "C", Settings: []string{"timezone"},
				Access:    []policy.Access{{Schema: "public", Name: "orders", Privilege: "SELECT"}},
				Columns:   []policy.ColumnUse{{Schema: "public", Relation: "orders", Column: "total", Use: "output"}},
				Functions: []string{"public.refund"},
				Calls:     []policy.Call{{Function: "public.refund", Volatility: "volatile", Definer: true, Opaque: true}},
				Binds:     []policy.Value{{Text: "7"}, {Null: true}, {Binary: true, Text: "\x00\xff"}}},
			want: policy.Decision{Effect: "Deny", Rule: "d", Message: "because d", Matched: []string{"d"}},
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

func TestExplainNamesPolicyRuleReasonAndMatches(t *testing.T) {
	t.Parallel()
	d := mustCompile(t, spec(rule("a", "Allow", "true"), rule("d", "Deny", "true"))).Decide(read("public.orders"), context)
	want := []string{"Deny by policy orders-fix, rule d", "because d", "rules that hold: a, d"}
	if diff := cmp.Diff(want, d.Explain()); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestAnUnrestrictedGrantCoversWhatIsUnderstood(t *testing.T) {
	t.Parallel()
	s := spec(rule("no-drop", "Deny", `action.kind.startsWith("drop ")`))
	s.Grant.Postgres = &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}
	for name, test := range map[string]struct {
		action policy.Action
		effect v1alpha1.Effect
		rule   string
	}{
		"any relation":                {action("delete", "DELETE", "hr.salaries"), "Allow", "grant"},
		"passwords":                   {read("pg_catalog.pg_authid"), "Allow", "grant"},
		"any kind":                    {policy.Action{Protocol: "postgres", Kind: "create table"}, "Allow", "grant"},
		"any function and sequence":   {policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"a.b"}, Sequences: []string{"a.c"}}, "Allow", "grant"},
		"what cannot be looked into":  {policy.Action{Protocol: "postgres", Kind: "select", Opaque: "written in C"}, "Allow", "grant"},
		"what a rule denies":          {drop, "Deny", "no-drop"},
		"not what nobody understands": {policy.Action{Protocol: "postgres", Kind: "select", Unknown: "strange"}, "Deny", "understood"},
		"not another protocol":        {policy.Action{Protocol: "ssh", Kind: "exec"}, "Deny", "grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mustCompile(t, s).Decide(test.action, context); got.Effect != test.effect || got.Rule != test.rule {
				t.Errorf("%+v, want %s by %s", got, test.effect, test.rule)
			}
		})
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

// A long value takes the evaluation that counts: rules decide all the same.
func TestAValueOfAnySizeIsJudged(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, spec(rule("long", "Deny", `action.binds.exists(b, size(b.text) > 200)`)))
	for size, want := range map[int]v1alpha1.Effect{10: "Allow", 201: "Deny", 300: "Deny", 1 << 20: "Deny"} {
		a := read("public.orders")
		a.Binds = []policy.Value{{Text: strings.Repeat("x", size)}}
		if d := p.Decide(a, context); d.Effect != want {
			t.Errorf("%d bytes: %+v", size, d)
		}
	}
}

func TestWithoutRulesADecisionAllocatesNothing(t *testing.T) {
	for name, s := range map[string]v1alpha1.AccessPolicySpec{"grant": spec(), "masks": masked("")} {
		p, a := mustCompile(t, s), using("output", "email")
		if n := testing.AllocsPerRun(100, func() { p.Decide(a, context) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
