package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// spec is a policy that reads orders and customers and updates orders.
func spec(rules ...v1alpha1.Rule) v1alpha1.AccessPolicySpec {
	return v1alpha1.AccessPolicySpec{
		Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
			Database: "orders",
			Relations: []v1alpha1.RelationGrant{
				{Name: "orders", Privileges: []v1alpha1.RelationPrivilege{"SELECT", "UPDATE"}},
				{Schema: "public", Name: "customers", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}},
			},
			Sequences: []string{"public.orders_id_seq"},
			Functions: []string{"public.refund"},
		}},
		Rules:  rules,
		Review: v1alpha1.ReviewPolicy{Requirements: []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}}},
	}
}

func mustCompile(t *testing.T, s v1alpha1.AccessPolicySpec) *policy.Policy {
	t.Helper()
	p, err := policy.Compile("orders-fix", s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompileNamesEveryExpressionThatFailsWithLineAndColumn(t *testing.T) {
	t.Parallel()
	s := spec(
		v1alpha1.Rule{Name: "typo", Effect: "Deny", When: "action.kind == 'select' &&\n  action.relation == 'x'"},
		v1alpha1.Rule{Name: "fine", Effect: "Deny", When: "action.kind == 'delete'"},
		v1alpha1.Rule{Name: "no-bool", Effect: "Deny", When: "action.kind"},
		v1alpha1.Rule{Name: "syntax", Effect: "Hold", When: "action.kind =="},
		v1alpha1.Rule{Name: "types", Effect: "Deny", When: "action.statements == 'many'"},
		v1alpha1.Rule{Name: "stranger", Effect: "Deny", When: "request.reason == ''"},
	)
	s.Review.AutoApprove = "action.kind == 'select'"
	_, err := policy.Compile("p", s)
	problems, ok := errors.AsType[policy.Errors](err)
	if !ok {
		t.Fatalf("error is %T: %v", err, err)
	}
	type place struct {
		Field        string
		Line, Column int
	}
	var got []place
	for _, p := range problems {
		if p.Message == "" {
			t.Errorf("%s has no message", p.Field)
		}
		got = append(got, place{p.Field, p.Line, p.Column})
	}
	want := []place{
		{"rules[typo].when", 2, 9},
		{"rules[no-bool].when", 1, 1},
		{"rules[syntax].when", 1, 15},
		{"rules[types].when", 1, 19},
		{"rules[stranger].when", 1, 1},
		{"review.autoApprove", 1, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s\n%v", diff, err)
	}
}

func TestCompileRefusesWhatIsNotEnforced(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.AccessPolicySpec){
		"recording.durability": func(s *v1alpha1.AccessPolicySpec) { s.Recording.Durability = "Eventual" },
		"rules[gate].effect": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "gate", Effect: "Ignore", When: "true"}}
		},
		"recording.output": func(s *v1alpha1.AccessPolicySpec) { s.Recording.Output = "Some" },
		"hold.requirements[boss].fromTask": func(s *v1alpha1.AccessPolicySpec) {
			s.Hold.Requirements = []v1alpha1.ReviewRequirement{{Name: "boss", FromTask: "Manager"}}
		},
		"isolation": func(s *v1alpha1.AccessPolicySpec) { s.Isolation = "Perfect" },
		"review.requirements[boss].fromTask": func(s *v1alpha1.AccessPolicySpec) {
			s.Review.Requirements = []v1alpha1.ReviewRequirement{{Name: "boss", FromTask: "Manager"}}
		},
		"grant.postgres.relations[public.orders].pr": func(s *v1alpha1.AccessPolicySpec) {
			s.Grant.Postgres.Relations[0].Privileges = []v1alpha1.RelationPrivilege{"TRUNCATE"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec()
			change(&s)
			_, err := policy.Compile("p", s)
			if _, ok := errors.AsType[*policy.UnsupportedError](err); !ok {
				t.Fatalf("want *UnsupportedError, got %T: %v", err, err)
			}
			if !strings.HasPrefix(err.Error(), name) {
				t.Errorf("error %q does not open with %q", err, name)
			}
		})
	}
}

func TestCompileRefusesWhatCannotBeGranted(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.AccessPolicySpec){
		"names no protocol": func(s *v1alpha1.AccessPolicySpec) { s.Grant.Postgres = nil },
		"system catalogs can be": func(s *v1alpha1.AccessPolicySpec) {
			s.Grant.Postgres.Relations[0] = v1alpha1.RelationGrant{Schema: "pg_catalog", Name: "pg_settings", Privileges: []v1alpha1.RelationPrivilege{"UPDATE"}}
		},
		"the name is reserved": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "grant", Effect: "Deny", When: "true"}}
		},
		"two rules have this name": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "a", Effect: "Deny", When: "true"}, {Name: "a", Effect: "Allow", When: "true"}}
		},
		"nest fewer exists() and all()": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "a", Effect: "Deny", When: costly}}
		},
		"rules[masking].name: the name is reserved": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "masking", Effect: "Deny", When: "true"}}
		},
		"hold.requirements: a rule holds operations, and nobody is named": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "a", Effect: "Hold", When: "true"}}
			s.Review = v1alpha1.ReviewPolicy{AutoApprove: "true"}
		},
		"and nobody is named to answer": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "a", Effect: "HoldCommit", When: "true"}}
			s.Review = v1alpha1.ReviewPolicy{AutoApprove: "true"}
		},
		"hold.requirements: fromTask cannot be in every requirement": func(s *v1alpha1.AccessPolicySpec) {
			s.Hold.Requirements = []v1alpha1.ReviewRequirement{{Name: "owner", FromTask: v1alpha1.FromTaskReviewer}}
		},
		"fromTask cannot be in every requirement": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{{Name: "a", Effect: "Hold", When: "true"}}
			s.Review.Requirements = []v1alpha1.ReviewRequirement{{Name: "owner", FromTask: v1alpha1.FromTaskReviewer}}
		},
		"grant.postgres.unrestricted: grants everything, and names something": func(s *v1alpha1.AccessPolicySpec) {
			s.Grant.Postgres.Unrestricted = true
		},
		"masking.inference: \"Perhaps\" is unknown": func(s *v1alpha1.AccessPolicySpec) {
			s.Masking = &v1alpha1.MaskingPolicy{Inference: "Perhaps"}
		},
		"masking.columns[0].mask.keepLast: ": func(s *v1alpha1.AccessPolicySpec) {
			s.Masking = &v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Relation: "orders", Column: "card", Mask: v1alpha1.Mask{How: "Partial", KeepLast: 17}}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec()
			change(&s)
			_, err := policy.Compile("p", s)
			if _, ok := errors.AsType[policy.Errors](err); !ok {
				t.Fatalf("want Errors, got %T: %v", err, err)
			}
			if !strings.Contains(err.Error(), name) {
				t.Errorf("error %q does not say %q", err, name)
			}
		})
	}
}

// costly compares every relation with every other, five levels deep.
const costly = `action.relations.exists(a, action.relations.exists(b, action.relations.exists(c,
	action.relations.exists(d, action.relations.exists(e, a + b + c + d + e == "")))))`
