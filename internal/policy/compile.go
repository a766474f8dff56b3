package policy

import (
	"errors"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
)

// Policy is a compiled AccessPolicy. It is safe for concurrent use, and never changes
// but for what it remembers.
type Policy struct {
	name string
	// grant and ssh are what is granted, of one protocol.
	grant    *postgresGrant
	ssh      *sshGrant
	rules    []rule
	hasAllow bool
	// gate is the first rule that holds commits.
	gate        *v1alpha1.Rule
	autoApprove *program
	masks       *mask.Set
	// maskedRelations are those with a masked column.
	maskedRelations map[mask.Relation]bool
	// memo is nil where nothing is worth remembering.
	memo *memo
}

type rule struct {
	v1alpha1.Rule
	program program
}

// Compile checks a policy whole and returns it ready to decide. name is what
// decisions call it. The error is *UnsupportedError for what this version does
// not enforce, or Errors with everything else that is wrong.
func Compile(name string, spec v1alpha1.AccessPolicySpec) (*Policy, error) {
	if err := supported(spec); err != nil {
		return nil, err
	}
	problems := check(spec)
	p := &Policy{name: name, grant: newPostgresGrant(spec.Grant.Postgres), ssh: newSSHGrant(spec.Grant.SSH), memo: newMemo(spec.Rules)}
	for _, r := range spec.Rules {
		program, err := compile(actionEnvironment, "rules["+r.Name+"].when", r.When)
		if err != nil {
			problems = append(problems, asErrors(err)...)
			continue
		}
		p.rules = append(p.rules, rule{Rule: r, program: program})
		p.hasAllow = p.hasAllow || r.Effect == v1alpha1.EffectAllow
		if r.Effect == v1alpha1.EffectHoldCommit && p.gate == nil {
			p.gate = &r
		}
	}
	if expression := spec.Review.AutoApprove; expression != "" {
		program, err := compile(requestEnvironment, "review.autoApprove", expression)
		if err != nil {
			problems = append(problems, asErrors(err)...)
		}
		p.autoApprove = &program
	}
	if spec.Masking != nil {
		masks, err := mask.Compile(*spec.Masking)
		if err != nil {
			field, message, _ := strings.Cut(err.Error(), ": ")
			problems = append(problems, &Error{Field: field, Message: message})
		}
		p.masks, p.maskedRelations = masks, map[mask.Relation]bool{}
		for _, r := range masks.Relations() {
			p.maskedRelations[r] = true
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return p, nil
}

// Masks is the policy's masking, without a key; nil masks nothing.
func (p *Policy) Masks() *mask.Set { return p.masks }

// GatesCommits says whether a rule of the policy holds commits.
func (p *Policy) GatesCommits() bool { return p.gate != nil }

func asErrors(err error) Errors {
	if many, ok := errors.AsType[Errors](err); ok {
		return many
	}
	return Errors{{Message: err.Error()}}
}
