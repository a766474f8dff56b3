package policy_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// examples are the policies of docs/policy.md, in their order; those that show rules
// alone stand on a grant of everything that they speak of.
func examples(t *testing.T) []v1alpha1.AccessPolicySpec {
	t.Helper()
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	found := []v1alpha1.AccessPolicySpec{}
	for i, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		s := spec()
		s.Grant.Postgres.Relations[0].Privileges = []v1alpha1.RelationPrivilege{"SELECT", "UPDATE", "DELETE"}
		if i == 0 {
			s = parsed(t, []byte(block))
		} else {
			rules := struct {
				Rules []v1alpha1.Rule `json:"rules"`
			}{}
			if err := yaml.UnmarshalStrict([]byte(block), &rules); err != nil {
				t.Fatalf("example %d: %v", i, err)
			}
			s.Rules = rules.Rules
		}
		found = append(found, s)
	}
	return found
}

func sample(t *testing.T, name string) v1alpha1.AccessPolicySpec {
	t.Helper()
	content, err := os.ReadFile("../../config/samples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, content)
}

func parsed(t *testing.T, content []byte) v1alpha1.AccessPolicySpec {
	t.Helper()
	object := v1alpha1.AccessPolicy{}
	if err := yaml.UnmarshalStrict(content, &object); err != nil {
		t.Fatal(err)
	}
	return object.Spec
}

// TestTheExamplesOfThePageDoWhatItSays has the page's own words as names.
func TestTheExamplesOfThePageDoWhatItSays(t *testing.T) {
	t.Parallel()
	const opening, reading, deletes = 0, 1, 2
	all := examples(t)
	if len(all) != 3 {
		t.Fatalf("%d examples, want 3", len(all))
	}
	where := func(a policy.Action) policy.Action { a.HasWhere = true; return a }
	second := func(a policy.Action) policy.Action { a.Statements, a.Position = 2, 1; return a }
	change, remove := action("update", "UPDATE", "public.orders"), action("delete", "DELETE", "public.orders")
	dba := context
	dba.Task.Groups = []string{"engineering", "dba"}
	for name, test := range map[string]struct {
		example int
		action  policy.Action
		context policy.Context
		effect  v1alpha1.Effect
		rule    string
	}{
		"a change says which rows":                    {opening, where(change), context, "Allow", "grant"},
		"a change of every row is refused":            {opening, change, context, "Deny", "no-unfiltered-change"},
		"reading needs no WHERE":                      {opening, read("public.customers"), context, "Allow", "grant"},
		"what the grant lacks is refused":             {opening, where(remove), context, "Deny", "grant"},
		"reading":                                     {reading, read("public.orders"), context, "Allow", "reads"},
		"reading only":                                {reading, where(change), context, "Deny", "default"},
		"never a whole customer table":                {reading, read("public.customers"), context, "Deny", "customers-by-key"},
		"customers by key":                            {reading, where(read("public.customers")), context, "Allow", "reads"},
		"what steers the session needs no Allow rule": {reading, begin, context, "Allow", "grant"},
		"deletes only by members of dba":              {deletes, remove, context, "Deny", "careful-deletes"},
		"deletes by members of dba":                   {deletes, remove, dba, "Allow", "grant"},
		"one statement at a time":                     {deletes, second(remove), dba, "Deny", "careful-deletes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustCompile(t, all[test.example]).Decide(test.action, test.context)
			if got.Effect != test.effect || got.Rule != test.rule {
				t.Errorf("%s by rule %s, want %s by %s", got.Effect, got.Rule, test.effect, test.rule)
			}
		})
	}
}

func TestTheSamplePoliciesDoWhatTheirFirstLinesSay(t *testing.T) {
	t.Parallel()
	const reading, repairing, cleaning = "accesspolicy-orders-read.yaml", "accesspolicy-orders-fix.yaml", "accesspolicy-orders-cleanup.yaml"
	remove := action("delete", "DELETE", "public.orders")
	some := remove
	some.HasWhere = true
	for name, test := range map[string]struct {
		file   string
		action policy.Action
		effect v1alpha1.Effect
	}{
		"a delete without WHERE waits":       {cleaning, remove, "Hold"},
		"every other change is gated":        {cleaning, some, "HoldCommit"},
		"a change is gated":                  {cleaning, action("update", "UPDATE", "public.orders"), "HoldCommit"},
		"reading waits for nobody":           {cleaning, read("public.orders"), "Allow"},
		"whom an order belongs to is masked": {cleaning, using("output", "email"), "Allow"},
		"nobody searches by it":              {cleaning, using("filter", "name"), "Deny"},
		"nobody copies it":                   {cleaning, using("copy", "email"), "Deny"},
		"reading reads orders":               {reading, read("public.orders"), "Allow"},
		"reading reads customers":            {reading, read("public.customers"), "Allow"},
		"reading repairs nothing":            {reading, action("update", "UPDATE", "public.orders"), "Deny"},
		"repairing reads customers":          {repairing, read("public.customers"), "Allow"},
		"repairing repairs orders":           {repairing, action("update", "UPDATE", "public.orders"), "Allow"},
		"repairing leaves customers alone":   {repairing, action("update", "UPDATE", "public.customers"), "Deny"},
		"repairing deletes nothing":          {repairing, action("delete", "DELETE", "public.orders"), "Deny"},
		"repairing drops nothing":            {repairing, drop, "Deny"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inside := context
			inside.Session.InTransaction = true
			if got := mustCompile(t, sample(t, test.file)).Decide(test.action, inside); got.Effect != test.effect {
				t.Errorf("%s by rule %s, want %s", got.Effect, got.Rule, test.effect)
			}
		})
	}
}
