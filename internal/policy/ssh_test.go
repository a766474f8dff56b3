package policy

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestADecisionOnSSHIsNeverTakenForAnother(t *testing.T) {
	t.Parallel()
	p, err := Compile("p", v1alpha1.AccessPolicySpec{
		Grant: v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{"deploy"}, Commands: []v1alpha1.CommandGrant{{Argv: []string{"uptime"}}}}},
		Rules: []v1alpha1.Rule{{Name: "no-root", When: `action.argv.exists(w, w == "reboot")`, Effect: v1alpha1.EffectDeny}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]v1alpha1.Effect{"uptime": v1alpha1.EffectAllow, "reboot": v1alpha1.EffectDeny, "uptime ": v1alpha1.EffectDeny} {
		for range 2 {
			action := Action{Protocol: "ssh", Kind: "exec", SSH: &SSHAction{Login: "deploy", Command: command, Commands: [][]string{{command}}}}
			if got := p.Decide(action, Context{}); got.Effect != want {
				t.Errorf("%q: %+v", command, got)
			}
		}
	}
}
