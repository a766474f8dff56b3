package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

func TestCommitsAreHeldInsideOfTransactionsOnly(t *testing.T) {
	t.Parallel()
	gate := rule("gate", "HoldCommit", `size(action.writes) > 0`)
	always := rule("always", "HoldCommit", "true")
	silent := v1alpha1.Rule{Name: "silent", Effect: "HoldCommit", When: "true"}
	change := action("update", "UPDATE", "public.orders")
	kind := func(k string) policy.Action { return policy.Action{Protocol: "postgres", Kind: k} }
	for name, test := range map[string]struct {
		rules  []v1alpha1.Rule
		action policy.Action
		inside bool
		want   policy.Decision
	}{
		"a write inside": {[]v1alpha1.Rule{gate}, change, true,
			policy.Decision{Effect: "HoldCommit", Rule: "gate", Message: "because gate", Matched: []string{"gate"}}},
		"a write outside": {[]v1alpha1.Rule{gate}, change, false,
			policy.Decision{Effect: "Deny", Rule: "gate", Message: "begin a transaction first: because gate", Matched: []string{"gate"}}},
		"a write outside, of a rule without words": {[]v1alpha1.Rule{silent}, change, false,
			policy.Decision{Effect: "Deny", Rule: "silent", Message: "begin a transaction first: its COMMIT is then held for review", Matched: []string{"silent"}}},
		"a read outside": {[]v1alpha1.Rule{gate}, read("public.orders"), false,
			policy.Decision{Effect: "Allow", Rule: "grant"}},
		"BEGIN itself":    {[]v1alpha1.Rule{always}, begin, false, policy.Decision{Effect: "Allow", Rule: "grant"}},
		"COMMIT itself":   {[]v1alpha1.Rule{always}, kind("commit"), true, policy.Decision{Effect: "Allow", Rule: "grant"}},
		"ROLLBACK itself": {[]v1alpha1.Rule{always}, kind("rollback"), true, policy.Decision{Effect: "Allow", Rule: "grant"}},
		"a setting":       {[]v1alpha1.Rule{always}, kind("set"), true, policy.Decision{Effect: "Allow", Rule: "grant"}},
		"COMMIT, by a Deny": {[]v1alpha1.Rule{always, rule("never", "Deny", `action.kind == "commit"`)}, kind("commit"), true,
			policy.Decision{Effect: "Deny", Rule: "never", Message: "because never", Matched: []string{"never"}}},
		"a write that is held itself": {[]v1alpha1.Rule{always, rule("look", "Hold", "true")}, change, true,
			policy.Decision{Effect: "Hold", Rule: "look", Message: "because look", Matched: []string{"always", "look"}}},
		"a write that is held itself, outside": {[]v1alpha1.Rule{always, rule("look", "Hold", "true")}, change, false,
			policy.Decision{Effect: "Hold", Rule: "look", Message: "because look", Matched: []string{"always", "look"}}},
		"a write that is allowed, too": {[]v1alpha1.Rule{rule("all", "Allow", "true"), gate}, change, true,
			policy.Decision{Effect: "HoldCommit", Rule: "gate", Message: "because gate", Matched: []string{"all", "gate"}}},
		"a write that is allowed, too, outside": {[]v1alpha1.Rule{rule("all", "Allow", "true"), gate}, change, false,
			policy.Decision{Effect: "Deny", Rule: "gate", Message: "begin a transaction first: because gate", Matched: []string{"all", "gate"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := context
			c.Session.InTransaction = test.inside
			test.want.Policy = "orders-fix"
			got := mustCompile(t, spec(test.rules...)).Decide(test.action, c)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoPreparedTransactionPassesAHeldCommit(t *testing.T) {
	t.Parallel()
	s := spec(rule("gate", "HoldCommit", `size(action.writes) > 0`))
	s.Grant.Postgres = &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}
	got := mustCompile(t, s).Decide(policy.Action{Protocol: "postgres", Kind: "prepare transaction"}, context)
	if got.Effect != "Deny" || got.Rule != "gate" || got.Message == "" {
		t.Errorf("%+v", got)
	}
	s.Rules = nil
	if got = mustCompile(t, s).Decide(policy.Action{Protocol: "postgres", Kind: "prepare transaction"}, context); got.Effect != "Allow" {
		t.Errorf("without a gate: %+v", got)
	}
}

func TestAPolicySaysWhetherItHolds(t *testing.T) {
	t.Parallel()
	for effect, want := range map[v1alpha1.Effect][2]bool{
		"Deny": {false, false}, "Allow": {false, false}, "Hold": {true, false}, "HoldCommit": {true, true},
	} {
		s := spec(rule("r", effect, "true"))
		if got := [2]bool{policy.Holds(s), mustCompile(t, s).GatesCommits()}; got != want {
			t.Errorf("%s: holds, gates commits: %v, want %v", effect, got, want)
		}
	}
}

func TestWhatAPolicyLeavesOutIsTheSchemasDefault(t *testing.T) {
	t.Parallel()
	read := func(s v1alpha1.AccessPolicySpec) []any {
		return []any{
			policy.HoldTimeout(s), policy.CommitTimeout(s), policy.LockTimeout(s), policy.StatementTimeout(s),
			policy.MaxOpen(s), policy.RowImages(s), policy.HoldRequirements(s)[0].Name,
		}
	}
	said := spec()
	said.Hold = v1alpha1.HoldPolicy{
		TimeoutSeconds: 10, CommitTimeoutSeconds: 20, LockTimeoutSeconds: 30, StatementTimeoutSeconds: 40, MaxOpen: 5, RowImages: 6,
		Requirements: []v1alpha1.ReviewRequirement{{Name: "on-call", Groups: []string{"on-call"}}},
	}
	for name, test := range map[string]struct {
		spec v1alpha1.AccessPolicySpec
		want []any
	}{
		"nothing said": {spec(), []any{5 * time.Minute, time.Minute, 5 * time.Second, time.Minute, 4, 0, "dba"}},
		"all said":     {said, []any{10 * time.Second, 20 * time.Second, 30 * time.Second, 40 * time.Second, 5, 6, "on-call"}},
	} {
		if diff := cmp.Diff(test.want, read(test.spec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
