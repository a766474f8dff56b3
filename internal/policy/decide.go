package policy

import (
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Decide judges one action. Effect Hold is an answer too: callers that cannot
// hold act on Decision.Enforced.
func (p *Policy) Decide(a Action, c Context) Decision {
	d := Decision{Effect: v1alpha1.EffectDeny, Policy: p.name}
	if a.Unknown != "" {
		d.Rule, d.Message = RuleUnderstood, "not understood, so refused: "+a.Unknown
		return d
	}
	if why := p.grant.outside(a); why != "" {
		d.Rule, d.Message = RuleGrant, why+": ask for access under a policy that grants it"
		return d
	}
	if len(p.rules) == 0 {
		d.Effect, d.Rule = v1alpha1.EffectAllow, RuleGrant
		return d
	}
	return p.judge(d, a, c)
}

// judge evaluates every rule and lets the strongest effect decide.
func (p *Policy) judge(d Decision, a Action, c Context) Decision {
	variables := actionVariables(a, c)
	var first [3]*verdict
	for i := range p.rules {
		r := &p.rules[i]
		held, err := evaluate(r.program, variables)
		if err == nil && !held {
			continue
		}
		d.Matched = append(d.Matched, r.Name)
		v := &verdict{effect: r.Effect, rule: r.Name, message: r.message()}
		if err != nil {
			v.effect, v.message = v1alpha1.EffectDeny, fmt.Sprintf("the rule could not be evaluated, so it denies: %v: tell the policy's owner", err)
		}
		if at := strength(v.effect); first[at] == nil {
			first[at] = v
		}
	}
	for _, v := range first {
		if v != nil {
			d.Effect, d.Rule, d.Message = v.effect, v.rule, v.message
			return d
		}
	}
	if p.hasAllow && !steersSession(a) {
		d.Rule = RuleDefault
		d.Message = fmt.Sprintf("no Allow rule of the policy names this %s: change the statement, or ask for access under another policy", a.Kind)
		return d
	}
	d.Effect, d.Rule = v1alpha1.EffectAllow, RuleGrant
	return d
}

type verdict struct {
	effect        v1alpha1.Effect
	rule, message string
}

// strength orders effects, strongest first; what is no effect denies.
func strength(e v1alpha1.Effect) int {
	switch e {
	case v1alpha1.EffectAllow:
		return 2
	case v1alpha1.EffectHold:
		return 1
	default:
		return 0
	}
}

// message is what the one refused reads.
func (r *rule) message() string {
	if r.Message == "" && r.Effect == v1alpha1.EffectDeny {
		return "the rule denies this: change the statement, or ask for access under another policy"
	}
	return r.Message
}
