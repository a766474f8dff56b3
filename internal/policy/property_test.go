package policy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// conditions hold, do not, depend on the action, or fail.
var conditions = []string{
	"true", "false", `action.kind == "select"`, `action.hasWhere`, `"public.orders" in action.writes`,
	`action.relations.exists(r, r.startsWith("public."))`, `action.access[3].name == "x"`, `task.groups[0] == "engineering"`,
}

func drawRules(t *rapid.T) []v1alpha1.Rule {
	var rules []v1alpha1.Rule
	for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
		rules = append(rules, v1alpha1.Rule{
			Name:   string(rune('a' + i)),
			Effect: rapid.SampledFrom([]v1alpha1.Effect{"Deny", "Hold", "Allow"}).Draw(t, "effect"),
			When:   rapid.SampledFrom(conditions).Draw(t, "when"),
		})
	}
	return rules
}

func drawAction(t *rapid.T) policy.Action {
	a := policy.Action{
		Protocol: "postgres",
		Kind:     rapid.SampledFrom([]string{"select", "update", "delete", "begin", "drop table", "copy-to", ""}).Draw(t, "kind"),
		Unknown:  rapid.SampledFrom([]string{"", "", "", "strange"}).Draw(t, "unknown"),
		HasWhere: rapid.Bool().Draw(t, "where"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "access") {
		a.Access = append(a.Access, policy.Access{
			Schema:    rapid.SampledFrom([]string{"public", "pg_catalog"}).Draw(t, "schema"),
			Name:      rapid.SampledFrom([]string{"orders", "customers", "secrets", "pg_class"}).Draw(t, "name"),
			Privilege: rapid.SampledFrom([]v1alpha1.RelationPrivilege{"SELECT", "INSERT", "UPDATE", "DELETE"}).Draw(t, "privilege"),
		})
	}
	a.Functions = rapid.SliceOfN(rapid.SampledFrom([]string{"public.refund", "public.wipe"}), 0, 1).Draw(t, "functions")
	return a
}

func drawPolicy(t *rapid.T, rules []v1alpha1.Rule) *policy.Policy {
	p, err := policy.Compile("p", spec(rules...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheOrderOfRulesChangesNoEffect(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, action := drawRules(t), drawAction(t)
		before := drawPolicy(t, rules).Decide(action, context)
		after := drawPolicy(t, rapid.Permutation(rules).Draw(t, "order")).Decide(action, context)
		slices.Sort(before.Matched)
		slices.Sort(after.Matched)
		if before.Effect != after.Effect || !slices.Equal(before.Matched, after.Matched) {
			t.Fatalf("%+v\n%+v", before, after)
		}
	})
}

func TestADenialIsNeverOverruledByMoreRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, action := drawRules(t), drawAction(t)
		all := drawPolicy(t, rules).Decide(action, context)
		for _, r := range rules {
			alone := drawPolicy(t, []v1alpha1.Rule{r}).Decide(action, context)
			// An Allow rule denies what it does not name, only as long as it is alone.
			if alone.Effect == "Deny" && alone.Rule != policy.RuleDefault && all.Effect != "Deny" {
				t.Fatalf("rule %s denies alone, and all together %s", r.Name, all.Effect)
			}
		}
	})
}

func TestNoRuleWidensTheGrant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		action := drawAction(t)
		bare := drawPolicy(t, nil).Decide(action, context)
		ruled := drawPolicy(t, drawRules(t)).Decide(action, context)
		if bare.Effect == "Deny" && ruled.Effect != "Deny" {
			t.Fatalf("grant denies (%s), with rules %s", bare.Message, ruled.Effect)
		}
		if ruled.Effect == "Deny" && ruled.Message == "" || ruled.Rule == "" || ruled.Policy != "p" {
			t.Fatalf("a decision that does not explain itself: %+v", ruled)
		}
	})
}

func TestNarrowingNeverWidens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := spec()
		request := &v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: rapid.SampledFrom([]string{"orders", "orders", "payroll"}).Draw(t, "database")}}
		for range rapid.IntRange(0, 3).Draw(t, "relations") {
			request.Postgres.Relations = append(request.Postgres.Relations, v1alpha1.RelationGrant{
				Schema:     rapid.SampledFrom([]string{"", "public", "hr"}).Draw(t, "schema"),
				Name:       rapid.SampledFrom([]string{"orders", "customers", "secrets"}).Draw(t, "name"),
				Privileges: rapid.SliceOfNDistinct(rapid.SampledFrom([]v1alpha1.RelationPrivilege{"SELECT", "UPDATE", "DELETE"}), 1, 3, rapid.ID).Draw(t, "privileges"),
			})
		}
		narrowed, err := policy.Narrow(whole.Grant, request)
		if err != nil {
			return
		}
		small := whole
		small.Grant = narrowed
		p, err := policy.Compile("p", small)
		if err != nil {
			t.Fatal(err)
		}
		action := drawAction(t)
		if p.Decide(action, context).Effect == "Allow" && drawPolicy(t, nil).Decide(action, context).Effect != "Allow" {
			t.Fatalf("the narrowed grant allows more: %+v", action)
		}
		again, err := policy.Narrow(whole.Grant, &narrowed)
		if diff := cmp.Diff(narrowed, again); err != nil || diff != "" {
			t.Fatalf("narrowing twice differs: %v\n%s", err, diff)
		}
	})
}

// FuzzCompile looks for an expression that panics, when compiled or evaluated.
func FuzzCompile(f *testing.F) {
	for _, c := range append(conditions, costly, "action.", `"`, "[1,2].map(x, x)", "action.kind.matches('(a+)+$')") {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		s := spec(v1alpha1.Rule{Name: "fuzzed", Effect: "Allow", When: expression})
		s.Review.AutoApprove = expression
		if p, err := policy.Compile("p", s); err == nil {
			p.Decide(read("public.orders"), context)
		}
		s.Review.AutoApprove = ""
		if p, err := policy.Compile("p", s); err == nil {
			p.Decide(action("update", "UPDATE", "public.orders"), context)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	p, err := policy.Compile("p", spec(
		rule("no-unfiltered", "Deny", `action.access.exists(a, a.privilege in ["UPDATE", "DELETE"]) && !action.hasWhere`),
		rule("hold-orders", "Hold", `"public.orders" in action.writes`),
		rule("reads", "Allow", `action.kind == "select"`)))
	if err != nil {
		b.Fatal(err)
	}
	a := read("public.orders")
	for b.Loop() {
		p.Decide(a, context)
	}
}
