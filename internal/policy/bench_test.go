package policy_test

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

var benched = []v1alpha1.Rule{
	rule("kind", "Deny", `action.kind == "delete" && !action.hasWhere`),
	rule("writes", "Hold", `"public.orders" in action.writes`),
	rule("privileges", "Deny", `action.access.exists(a, a.privilege in ["UPDATE", "DELETE"]) && !action.hasWhere`),
	rule("who", "Deny", `!("engineering" in task.groups) || session.database != "orders"`),
	rule("reads", "Allow", `action.kind in ["select", "explain"] && size(action.writes) == 0`),
}

func BenchmarkDecide(b *testing.B) {
	masks := &v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Relation: "customers", Column: "email"}}}
	statement := read("public.orders")
	statement.HasWhere = true
	for _, column := range []string{"id", "currency", "total"} {
		statement.Columns = append(statement.Columns, policy.ColumnUse{Schema: "public", Relation: "orders", Column: column, Use: policy.UseOutput})
	}
	statement.Binds = []policy.Value{{Text: "7"}}
	for name, policyOf := range map[string]func() v1alpha1.AccessPolicySpec{
		"grant":   func() v1alpha1.AccessPolicySpec { return spec() },
		"masks":   func() v1alpha1.AccessPolicySpec { s := spec(); s.Masking = masks; return s },
		"1 rule":  func() v1alpha1.AccessPolicySpec { return spec(benched[:1]...) },
		"5 rules": func() v1alpha1.AccessPolicySpec { return spec(benched...) },
	} {
		p, err := policy.Compile("p", policyOf())
		if err != nil {
			b.Fatal(err)
		}
		if d := p.Decide(statement, context); d.Effect != v1alpha1.EffectAllow {
			b.Fatalf("%s: %+v", name, d)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(statement, context)
			}
		})
	}
}
