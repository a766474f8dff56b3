package accesspolicy

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func policyWith(rules ...v1alpha1.Rule) *v1alpha1.AccessPolicy {
	return &v1alpha1.AccessPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-fix", UID: "p1", Generation: 3},
		Spec: v1alpha1.AccessPolicySpec{
			TaskTypes: []string{"data-fix"}, Targets: []string{"orders"}, Rules: rules,
			Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
				Database:  "orders",
				Relations: []v1alpha1.RelationGrant{{Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}}},
			}},
			Review: v1alpha1.ReviewPolicy{
				Requirements:        []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}},
				ExpiresAfterSeconds: 3600,
			},
			Session:   v1alpha1.SessionPolicy{MaxDurationSeconds: 3600, MaxConcurrent: 4, ControlLossSeconds: 60},
			Recording: v1alpha1.RecordingPolicy{Durability: v1alpha1.DurabilityProcess},
			Isolation: v1alpha1.IsolationRequired,
		},
	}
}

func rule(name, when string, effect v1alpha1.Effect) v1alpha1.Rule {
	return v1alpha1.Rule{Name: name, When: when, Effect: effect}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	disk, eventual := policyWith(), policyWith()
	disk.Spec.Recording.Durability = v1alpha1.DurabilityDisk
	eventual.Spec.Recording.Durability = "Eventual"
	tests := []struct {
		name     string
		policy   *v1alpha1.AccessPolicy
		reason   string
		messages []string
	}{
		{"a grant alone", policyWith(), v1alpha1.ReasonReady, []string{"compiled"}},
		{"a hold says who answers it", policyWith(rule("writes", `action.kind == "update"`, v1alpha1.EffectHold)),
			v1alpha1.ReasonReady, []string{"what writes holds is answered by 1 of dba"}},
		{"every error with its place", policyWith(
			rule("broken", `action.kind ==`, v1alpha1.EffectDeny),
			rule("unknown", `action.colour == "red"`, v1alpha1.EffectDeny)),
			v1alpha1.ReasonInvalid, []string{"broken", "line 1, column", "unknown", "colour"}},
		{"not a bool", policyWith(rule("text", `action.kind`, v1alpha1.EffectDeny)), v1alpha1.ReasonInvalid, []string{"text"}},
		{"durability Disk", disk, v1alpha1.ReasonReady, []string{"compiled"}},
		{"more than is enforced here", eventual, v1alpha1.ReasonUnsupported, []string{"Eventual"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, reason, message := verdict(tt.policy, "")
			if reason != tt.reason || (status == metav1.ConditionTrue) != (reason == v1alpha1.ReasonReady) {
				t.Errorf("%s/%s (%s), want %s", status, reason, message, tt.reason)
			}
			for _, want := range tt.messages {
				if !strings.Contains(message, want) {
					t.Errorf("message %q, want %q in it", message, want)
				}
			}
		})
	}
}

func TestADraftIsDerivedFromTheSpecAndStable(t *testing.T) {
	t.Parallel()
	policy := policyWith()
	policy.Status = draft(policy, "", now)
	again := draft(policy, "", now.Add(time.Hour))
	if !equality.Semantic.DeepEqual(policy.Status, again) {
		t.Errorf("nothing has changed, but the status has: %+v", again)
	}
	if ready := meta.FindStatusCondition(again.Conditions, v1alpha1.ConditionReady); ready.ObservedGeneration != 3 || again.Digest == "" {
		t.Errorf("draft %+v", again)
	}
}
