package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// masked is spec with customers.email and customers.card masked.
func masked(inference v1alpha1.Inference, rules ...v1alpha1.Rule) v1alpha1.AccessPolicySpec {
	s := spec(rules...)
	s.Masking = &v1alpha1.MaskingPolicy{Inference: inference, Columns: []v1alpha1.ColumnMask{
		{Relation: "customers", Column: "email"}, {Schema: "public", Relation: "customers", Column: "card", Mask: v1alpha1.Mask{How: "Null"}},
	}}
	return s
}

// using reads customers and does something with one of its columns.
func using(use policy.Use, column string) policy.Action {
	a := read("public.customers")
	a.Columns = []policy.ColumnUse{
		{Schema: "public", Relation: "customers", Column: "id", Use: use},
		{Schema: "public", Relation: "customers", Column: column, Use: use},
	}
	return a
}

func TestPG9_NoStatementCarriesAMaskedValuePastItsMask(t *testing.T) {
	t.Parallel()
	everything := rule("all", "Allow", "true")
	unrestricted := masked("", everything)
	unrestricted.Grant.Postgres = &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}
	with := func(a policy.Action, change func(*policy.Action)) policy.Action { change(&a); return a }
	statistics := func(name string) policy.Action { return read("pg_catalog." + name) }
	for name, test := range map[string]struct {
		spec   v1alpha1.AccessPolicySpec
		action policy.Action
		effect v1alpha1.Effect
		says   string
	}{
		"a masked column comes out masked":              {masked("", everything), using("output", "email"), "Allow", ""},
		"every column comes out masked":                 {masked("", everything), using("output", "*"), "Allow", ""},
		"a masked column is written to":                 {unrestricted, using("write", "email"), "Allow", ""},
		"a masked column is copied":                     {masked("", everything), using("copy", "email"), "Deny", "public.customers.email is masked, so what it holds cannot be copied"},
		"every column is copied":                        {masked("", everything), using("copy", "*"), "Deny", "a column of public.customers is masked"},
		"an open column is copied":                      {masked("", everything), using("copy", "name"), "Allow", ""},
		"a masked column is handed to a function":       {masked("", everything), using("call", "card"), "Deny", "public.customers.card is masked, so it cannot be handed to a function"},
		"a masked column is used in a way of tomorrow":  {masked("", everything), using("sing", "card"), "Deny", "public.customers.card is masked"},
		"a masked column filters":                       {masked("", everything), using("filter", "email"), "Deny", "public.customers.email is masked, so it cannot decide which rows come out"},
		"a masked column filters where inference may":   {masked("Allowed", everything), using("filter", "email"), "Allow", ""},
		"a masked column is copied where inference may": {masked("Allowed", everything), using("copy", "email"), "Deny", "cannot be copied"},
		"an open column filters":                        {masked("", everything), using("filter", "name"), "Allow", ""},
		"a column of another relation of that name": {masked("", everything), with(read("public.orders"), func(a *policy.Action) {
			a.Columns = []policy.ColumnUse{{Schema: "public", Relation: "orders", Column: "email", Use: "filter"}}
		}), "Allow", ""},
		"a masked column filters behind a view": {masked("", everything), with(read("public.orders"), func(a *policy.Action) {
			a.Access = append(a.Access, policy.Access{Schema: "public", Name: "customers", Privilege: "SELECT", Via: "view public.orders"})
			a.Columns = []policy.ColumnUse{{Schema: "public", Relation: "customers", Column: "email", Use: "filter"}}
		}), "Deny", "public.customers.email"},
		"samples of the planner's":                  {unrestricted, statistics("pg_stats"), "Deny", "pg_catalog.pg_stats holds samples"},
		"samples of the planner's in their table":   {unrestricted, statistics("pg_statistic"), "Deny", "samples"},
		"extended samples":                          {unrestricted, statistics("pg_stats_ext"), "Deny", "samples"},
		"extended samples of expressions":           {unrestricted, statistics("pg_stats_ext_exprs"), "Deny", "samples"},
		"extended samples in their table":           {unrestricted, statistics("pg_statistic_ext_data"), "Deny", "samples"},
		"what psql's \\d reads of extended samples": {unrestricted, statistics("pg_statistic_ext"), "Allow", ""},
		"what was too long for its row":             {unrestricted, read("pg_toast.pg_toast_16400"), "Deny", "samples"},
		"samples behind a view": {unrestricted, with(read("public.v"), func(a *policy.Action) {
			a.Access = append(a.Access, policy.Access{Schema: "pg_catalog", Name: "pg_stats", Privilege: "SELECT", Via: "view public.v"})
		}), "Deny", "samples"},
		"samples where nothing is masked": {without(unrestricted), statistics("pg_stats"), "Allow", ""},
		"what cannot be looked into":      {unrestricted, with(read("public.orders"), func(a *policy.Action) { a.Opaque = "public.f is written in C" }), "Deny", "public.f is written in C"},
		"what cannot be looked into, where it is named": {masked("", everything), with(read("public.orders"), func(a *policy.Action) {
			a.Opaque, a.Functions = "public.refund is written in C", []string{"public.refund"}
		}), "Deny", "public.refund is written in C"},
		"what cannot be looked into, and nothing masked": {without(unrestricted), with(read("public.orders"), func(a *policy.Action) { a.Opaque = "public.f is written in C" }), "Allow", ""},
		"a table while no catalog is known":              {masked("", everything), with(read("public.orders"), func(a *policy.Action) { a.NoCatalog = true }), "Deny", "public.orders is made of is not known yet"},
		"a function while no catalog is known":           {masked("", everything), policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"public.refund"}, NoCatalog: true}, "Deny", "is not known yet"},
		"system catalogs while no catalog is known":      {masked("", everything), with(read("pg_catalog.pg_class"), func(a *policy.Action) { a.NoCatalog = true }), "Allow", ""},
		"a table while no catalog is known, unmasked":    {spec(), with(read("public.orders"), func(a *policy.Action) { a.NoCatalog = true }), "Allow", ""},
		"a column renamed":                               {unrestricted, policy.Action{Protocol: "postgres", Kind: "alter column"}, "Deny", "alter column may lead around the masks"},
		"a table made of open columns":                   {unrestricted, with(using("copy", "name"), func(a *policy.Action) { a.Kind = "create table as" }), "Allow", ""},
		"a table made of masked columns":                 {unrestricted, with(using("copy", "email"), func(a *policy.Action) { a.Kind = "create table as" }), "Deny", "cannot be copied"},
		"rights given to others":                         {unrestricted, policy.Action{Protocol: "postgres", Kind: "grant"}, "Deny", "around the masks"},
		"code that nobody reads":                         {unrestricted, policy.Action{Protocol: "postgres", Kind: "do"}, "Deny", "around the masks"},
		"a table dropped":                                {unrestricted, drop, "Allow", ""},
		"a file of the server":                           {unrestricted, policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"pg_catalog.pg_read_file"}, Opaque: "it can read more than its arguments say"}, "Deny", "it can read more"},
		"a backend ended":                                {unrestricted, policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"pg_catalog.pg_terminate_backend"}}, "Allow", ""},
		"a file of the server where nothing is masked":   {without(unrestricted), policy.Action{Protocol: "postgres", Kind: "select", Functions: []string{"pg_catalog.pg_read_file"}}, "Allow", ""},
		"detectors alone refuse nothing":                 {detecting(everything), using("copy", "email"), "Allow", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustCompile(t, test.spec).Decide(test.action, context)
			if got.Effect != test.effect || !strings.Contains(got.Message, test.says) {
				t.Fatalf("%+v, want %s that says %q", got, test.effect, test.says)
			}
			if got.Effect == "Deny" && got.Rule != policy.RuleMasking {
				t.Errorf("rule %s, want %s", got.Rule, policy.RuleMasking)
			}
		})
	}
}

func without(s v1alpha1.AccessPolicySpec) v1alpha1.AccessPolicySpec {
	s.Masking = nil
	return s
}

func detecting(rules ...v1alpha1.Rule) v1alpha1.AccessPolicySpec {
	s := spec(rules...)
	s.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "card", Detect: v1alpha1.DetectPaymentCard}}}
	return s
}

func TestAPolicyGivesItsMasks(t *testing.T) {
	t.Parallel()
	if masks := mustCompile(t, spec()).Masks(); masks != nil {
		t.Errorf("a policy without masking has %+v", masks)
	}
	masks := mustCompile(t, masked("")).Masks()
	if diff := cmp.Diff([]bool{true, false, false}, []bool{masks.HasColumns(), masks.InferenceAllowed(), masks.Detects()}); diff != "" {
		t.Errorf("columns, inference, detectors (-want +got):\n%s", diff)
	}
	if !mustCompile(t, detecting()).Masks().Detects() {
		t.Error("a policy with a detector has none")
	}
}
