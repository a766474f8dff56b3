package policy_test

import (
	"slices"
	"strings"
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
	`session.inTransaction`, `session.user == "bob"`, `task.requester == "bob"`, `action.binds.exists(b, b.text == "7")`, `action.columns.exists(c, c.use == "output")`, `action.opaque != ""`, `action.calls[0].definer`,
}

func drawRules(t *rapid.T) []v1alpha1.Rule {
	var rules []v1alpha1.Rule
	for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
		rules = append(rules, v1alpha1.Rule{
			Name:   string(rune('a' + i)),
			Effect: rapid.SampledFrom([]v1alpha1.Effect{"Deny", "Hold", "HoldCommit", "Allow"}).Draw(t, "effect"),
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
			Via:       rapid.SampledFrom([]string{"", "", "view public.v"}).Draw(t, "via"),
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "columns") {
		a.Columns = append(a.Columns, policy.ColumnUse{
			Schema: "public", Relation: rapid.SampledFrom([]string{"orders", "customers"}).Draw(t, "relation"),
			Column: rapid.SampledFrom([]string{"id", "email", "*"}).Draw(t, "column"),
			Use:    rapid.SampledFrom([]policy.Use{"output", "filter", "write", "copy", "call"}).Draw(t, "use"),
		})
	}
	if rapid.IntRange(0, 4).Draw(t, "opaque") == 0 {
		a.Opaque = "written in C"
		a.Calls = []policy.Call{{Function: rapid.SampledFrom([]string{"public.refund", "audit.note"}).Draw(t, "called"), Opaque: rapid.Bool().Draw(t, "told")}}
	}
	a.NoCatalog = rapid.IntRange(0, 4).Draw(t, "catalog") == 0
	a.Functions = rapid.SliceOfN(rapid.SampledFrom([]string{"public.refund", "public.wipe"}), 0, 1).Draw(t, "functions")
	return a
}

func drawContext(t *rapid.T) policy.Context {
	c := context
	c.Session.InTransaction = rapid.Bool().Draw(t, "transaction")
	return c
}

func drawPolicy(t *rapid.T, rules []v1alpha1.Rule) *policy.Policy { return drawn(t, spec(rules...)) }

func drawn(t *rapid.T, s v1alpha1.AccessPolicySpec) *policy.Policy {
	p, err := policy.Compile("p", s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// width orders effects by what they let through.
var width = map[v1alpha1.Effect]int{"Deny": 0, "Hold": 1, "HoldCommit": 2, "Allow": 3}

func TestADenyRuleNeverWidens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, action, c := drawRules(t), drawAction(t), drawContext(t)
		denial := v1alpha1.Rule{Name: "denial", Effect: "Deny", When: rapid.SampledFrom(conditions).Draw(t, "denial")}
		before, after := drawPolicy(t, rules).Decide(action, c), drawPolicy(t, append(rules, denial)).Decide(action, c)
		if width[after.Effect] > width[before.Effect] {
			t.Fatalf("%+v\n%+v", before, after)
		}
	})
}

func TestMaskingNeverWidens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, action, c := drawRules(t), drawAction(t), drawContext(t)
		inference := rapid.SampledFrom([]v1alpha1.Inference{"", "Refused", "Allowed"}).Draw(t, "inference")
		open, closed := spec(rules...), masked(inference, rules...)
		if rapid.Bool().Draw(t, "unrestricted") {
			open.Grant.Postgres = &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}
			closed.Grant = open.Grant
		}
		before, after := drawn(t, open).Decide(action, c), drawn(t, closed).Decide(action, c)
		if after.Effect != "Deny" && after.Effect != before.Effect {
			t.Fatalf("%+v\n%+v", before, after)
		}
	})
}

func TestPG9_NoRuleLetsAMaskedColumnBeCopiedOrHandedOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		action := drawAction(t)
		action.Columns = append(action.Columns, policy.ColumnUse{
			Schema: "public", Relation: "customers", Column: rapid.SampledFrom([]string{"email", "card", "*"}).Draw(t, "masked"),
			Use: rapid.SampledFrom([]policy.Use{"copy", "call"}).Draw(t, "leak"),
		})
		if got := drawn(t, masked("Allowed", drawRules(t)...)).Decide(action, drawContext(t)); got.Effect != "Deny" {
			t.Fatalf("%+v", got)
		}
	})
}

func TestAHoldNeverBecomesAnAllow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, action, c := drawRules(t), drawAction(t), drawContext(t)
		all := drawPolicy(t, rules).Decide(action, c)
		for _, r := range rules {
			alone := drawPolicy(t, []v1alpha1.Rule{r}).Decide(action, c)
			// Where no commit can be held the statement itself may be.
			if strings.HasPrefix(alone.Message, "begin a transaction first") {
				alone.Effect = "Hold"
			}
			if alone.Effect != "Allow" && alone.Rule == r.Name && width[all.Effect] > width[alone.Effect] {
				t.Fatalf("rule %s alone: %s, with the others: %s", r.Name, alone.Effect, all.Effect)
			}
		}
		if all.Effect == "HoldCommit" && !c.Session.InTransaction {
			t.Fatalf("a commit is held where there is none: %+v", all)
		}
	})
}

// Sizes beyond those that cost estimates assume take another evaluation.
func TestAnEvaluationThatCountsDecidesAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, action, c := drawPolicy(t, drawRules(t)), drawAction(t), drawContext(t)
		long := c
		long.Session.Application = strings.Repeat("x", 1000)
		if diff := cmp.Diff(p.Decide(action, c), p.Decide(action, long)); diff != "" {
			t.Fatal(diff)
		}
	})
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
		rules, action, context := drawRules(t), drawAction(t), context
		// Outside of transactions a rule that holds commits denies, and one that holds
		// statements has its say all the same.
		context.Session.InTransaction = true
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

// drawSimilar is an action that differs from another in little, or in nothing.
func drawSimilar(t *rapid.T, a policy.Action, c policy.Context) (policy.Action, policy.Context) {
	switch rapid.IntRange(0, 6).Draw(t, "difference") {
	case 0:
		return drawAction(t), c
	case 1:
		c.Session.InTransaction = !c.Session.InTransaction
	case 2:
		a.HasWhere = !a.HasWhere
	case 3:
		a.Binds = []policy.Value{{Text: rapid.SampledFrom([]string{"7", "8"}).Draw(t, "bind")}}
	case 4:
		c.Session.User = rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "user")
	case 5:
		c.Task.Requester = rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "requester")
	}
	return a, c
}

func TestWhatIsRememberedIsWhatDecidingAnewSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := spec(drawRules(t)...)
		if rapid.Bool().Draw(t, "masks") {
			of = masked("", of.Rules...)
		}
		remembers, action, c := drawn(t, of), drawAction(t), drawContext(t)
		for range rapid.IntRange(1, 12).Draw(t, "actions") {
			action, c = drawSimilar(t, action, c)
			if diff := cmp.Diff(drawn(t, of).Decide(action, c), remembers.Decide(action, c)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}
