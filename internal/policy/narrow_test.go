package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

func TestNarrow(t *testing.T) {
	t.Parallel()
	whole := spec().Grant
	for name, test := range map[string]struct {
		request *v1alpha1.Grant
		want    *v1alpha1.PostgresGrant
		beyond  string
	}{
		"no narrowing": {want: whole.Postgres},
		"nothing said for the protocol": {
			request: &v1alpha1.Grant{}, want: whole.Postgres,
		},
		"one relation, one privilege": {
			request: &v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Relations: []v1alpha1.RelationGrant{
				{Name: "orders", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}}}}},
			want: &v1alpha1.PostgresGrant{Database: "orders", Relations: []v1alpha1.RelationGrant{
				{Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}}}},
		},
		"the database alone": {
			request: &v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders"}},
			want:    &v1alpha1.PostgresGrant{Database: "orders"},
		},
		"beyond in everything": {
			request: &v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
				Database: "payroll",
				Relations: []v1alpha1.RelationGrant{
					{Name: "orders", Privileges: []v1alpha1.RelationPrivilege{"SELECT", "DELETE"}},
					{Schema: "hr", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}},
				},
				Sequences: []string{"public.orders_id_seq", "public.x"},
				Functions: []string{"public.refund", "public.y"},
			}},
			beyond: "the request asks for more than its policy grants: database payroll, DELETE on public.orders, SELECT on hr.orders, " +
				"sequence public.x, function public.y: name less, or another policy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := policy.Narrow(whole, test.request)
			if test.beyond != "" {
				if err == nil || err.Error() != test.beyond {
					t.Fatalf("error %v, want %s", err, test.beyond)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Postgres); diff != "" {
				t.Errorf("grant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnrestrictedGrantIsNotNarrowed(t *testing.T) {
	t.Parallel()
	whole := v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}}
	const narrows = "the request narrows an unrestricted grant, which cannot be narrowed: name the database alone, or another policy"
	for name, test := range map[string]struct {
		policy  v1alpha1.Grant
		request *v1alpha1.PostgresGrant
		refusal string
	}{
		"nothing said":          {whole, nil, ""},
		"the database alone":    {whole, &v1alpha1.PostgresGrant{Database: "orders"}, ""},
		"the very same":         {whole, &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}, ""},
		"a relation":            {whole, &v1alpha1.PostgresGrant{Database: "orders", Relations: []v1alpha1.RelationGrant{{Name: "orders", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}}}}, narrows},
		"a function":            {whole, &v1alpha1.PostgresGrant{Database: "orders", Functions: []string{"a.b"}}, narrows},
		"another database":      {whole, &v1alpha1.PostgresGrant{Database: "payroll", Unrestricted: true}, "the request asks for more than its policy grants: database payroll: name less, or another policy"},
		"more than was granted": {spec().Grant, &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}, "the request asks for more than its policy grants: unrestricted: name less, or another policy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := policy.Narrow(test.policy, &v1alpha1.Grant{Postgres: test.request})
			if test.refusal != "" {
				if err == nil || err.Error() != test.refusal {
					t.Fatalf("error %v, want %s", err, test.refusal)
				}
				return
			}
			if diff := cmp.Diff(whole, got); err != nil || diff != "" {
				t.Errorf("%v\ngrant (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestNarrowOfANarrowedGrantSharesNothingWithThePolicy(t *testing.T) {
	t.Parallel()
	whole := spec().Grant
	got, err := policy.Narrow(whole, nil)
	if err != nil {
		t.Fatal(err)
	}
	got.Postgres.Relations[0].Privileges[0] = "DELETE"
	if diff := cmp.Diff(spec().Grant, whole); diff != "" {
		t.Errorf("the policy's grant changed:\n%s", diff)
	}
}
