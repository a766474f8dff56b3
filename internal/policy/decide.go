package policy

import (
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Decide judges one action. Hold and HoldCommit are answers too: the caller waits for
// reviewers, before the operation runs or before its transaction commits.
func (p *Policy) Decide(a Action, c Context) Decision {
	// What people type is seldom asked twice.
	if p.memo == nil || a.SSH != nil {
		return p.decide(a, c)
	}
	d, known, question := p.memo.recall(&a, &c)
	if known {
		return d
	}
	d = p.decide(a, c)
	if question != "" {
		p.memo.remember(question, d)
	}
	return d
}

func (p *Policy) decide(a Action, c Context) Decision {
	d := Decision{Effect: v1alpha1.EffectDeny, Policy: p.name}
	if a.Unknown != "" {
		d.Rule, d.Message = RuleUnderstood, "not understood, so refused: "+a.Unknown
		return d
	}
	if why := p.outside(a); why != "" {
		d.Rule, d.Message = RuleGrant, why+": ask for access under a policy that grants it"
		return d
	}
	if p.gate != nil && a.Kind == "prepare transaction" {
		d.Rule, d.Message = p.gate.Name, "the policy holds commits, and a prepared transaction could be committed past them: use COMMIT"
		return d
	}
	if p.masks.HasColumns() {
		if why := p.unmaskable(a); why != "" {
			d.Rule, d.Message = RuleMasking, why
			return d
		}
	}
	if a.SSH != nil && p.masks.Detects() {
		if why := p.ssh.unseen(a.SSH, a.Kind); why != "" {
			d.Rule, d.Message = RuleMasking, why
			return d
		}
	}
	if len(p.rules) == 0 {
		d.Effect, d.Rule = v1alpha1.EffectAllow, RuleGrant
		return d
	}
	return p.judge(d, a, c)
}

func (p *Policy) outside(a Action) string {
	if p.ssh != nil {
		return p.outsideSSH(a)
	}
	return p.grant.outside(a)
}

// outsideSSH is apart, so that no other action has to live on the heap.
func (p *Policy) outsideSSH(a Action) string { return p.ssh.outside(&a) }

// judge evaluates every rule and lets the strongest effect decide.
func (p *Policy) judge(d Decision, a Action, c Context) Decision {
	in := actionInput(&a, &c)
	small := in.small()
	var first [4]*rule
	var failed error
	for i := range p.rules {
		r := &p.rules[i]
		holds, err := r.program.evaluate(in, small)
		if err == nil && !holds {
			continue
		}
		effect := r.Effect
		if err != nil {
			effect = v1alpha1.EffectDeny
		}
		// What steers the session changes nothing that a COMMIT could keep.
		if effect == v1alpha1.EffectHoldCommit && steersSession(a) {
			continue
		}
		d.Matched = append(d.Matched, r.Name)
		if at := strength(effect); first[at] == nil {
			first[at] = r
			if at == 0 {
				failed = err
			}
		}
	}
	for at, r := range first {
		if r != nil {
			return r.decide(d, at, failed, c.Session.InTransaction)
		}
	}
	if p.hasAllow && !steersSession(a) {
		d.Rule = RuleDefault
		d.Message = fmt.Sprintf("no Allow rule of the policy names this %s: change the %s, or ask for access under another policy", a.Kind, a.noun())
		return d
	}
	d.Effect, d.Rule = v1alpha1.EffectAllow, RuleGrant
	return d
}

// strengths are the effects, strongest first.
var strengths = [4]v1alpha1.Effect{v1alpha1.EffectDeny, v1alpha1.EffectHold, v1alpha1.EffectHoldCommit, v1alpha1.EffectAllow}

// strength is an effect's place in strengths; what is no effect denies.
func strength(e v1alpha1.Effect) int {
	for at, known := range strengths {
		if e == known {
			return at
		}
	}
	return 0
}

// decide fills in the decision of the rule that decides, with the effect of the given
// strength. failed is why the rule could not be evaluated.
func (r *rule) decide(d Decision, at int, failed error, inTransaction bool) Decision {
	d.Effect, d.Rule, d.Message = strengths[at], r.Name, r.Message
	switch {
	case d.Effect == v1alpha1.EffectDeny && failed != nil:
		d.Message = fmt.Sprintf("the rule could not be evaluated, so it denies: %v: tell the policy's owner", failed)
	case d.Effect == v1alpha1.EffectDeny && r.Message == "":
		d.Message = "the rule denies this: change the statement, or ask for access under another policy"
	case d.Effect == v1alpha1.EffectHoldCommit && !inTransaction:
		d.Effect, d.Message = v1alpha1.EffectDeny, "begin a transaction first: "+gateMessage(r.Message)
	}
	return d
}

func gateMessage(message string) string {
	if message == "" {
		return "its COMMIT is then held for review"
	}
	return message
}
