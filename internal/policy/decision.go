package policy

import (
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// The names that stand in Decision.Rule where no rule of the policy decided. A
// policy's own rules cannot take them.
const (
	// RuleUnderstood: the engine does not know what the operation does.
	RuleUnderstood = "understood"
	// RuleGrant: the grant does not cover it, or alone allows it.
	RuleGrant = "grant"
	// RuleMasking: masked values would get past their masks.
	RuleMasking = "masking"
	// RuleDefault: the policy has Allow rules, and none holds.
	RuleDefault = "default"
)

// Decision is the answer to one action, with everything that a refusal must say.
type Decision struct {
	Effect v1alpha1.Effect
	// Policy and Rule that decided; Rule may be one of the constants above.
	Policy, Rule string
	// Message says why, for the one refused, and what to do next.
	Message string
	// Matched is every rule that held or failed, sorted as in the policy.
	Matched []string
}

// Explain is the decision for people, one line each.
func (d Decision) Explain() []string {
	lines := []string{string(d.Effect) + " by policy " + d.Policy + ", rule " + d.Rule}
	if d.Message != "" {
		lines = append(lines, d.Message)
	}
	if len(d.Matched) > 0 {
		lines = append(lines, "rules that hold: "+strings.Join(d.Matched, ", "))
	}
	return lines
}
