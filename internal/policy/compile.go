package policy

import (
	"errors"

	"cel.dev/cel-go/cel"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Policy is a compiled AccessPolicy. It is immutable and safe for concurrent use.
type Policy struct {
	name        string
	grant       *postgresGrant
	rules       []rule
	hasAllow    bool
	autoApprove cel.Program
}

type rule struct {
	v1alpha1.Rule
	program cel.Program
}

// Compile checks a policy whole and returns it ready to decide. name is what
// decisions call it. The error is *UnsupportedError for what this version does
// not enforce, or Errors with everything else that is wrong.
func Compile(name string, spec v1alpha1.AccessPolicySpec) (*Policy, error) {
	if err := supported(spec); err != nil {
		return nil, err
	}
	problems := check(spec)
	p := &Policy{name: name, grant: newPostgresGrant(spec.Grant.Postgres)}
	for _, r := range spec.Rules {
		program, err := compile(actionEnvironment, "rules["+r.Name+"].when", r.When)
		if err != nil {
			problems = append(problems, asErrors(err)...)
			continue
		}
		p.rules = append(p.rules, rule{Rule: r, program: program})
		p.hasAllow = p.hasAllow || r.Effect == v1alpha1.EffectAllow
	}
	if expression := spec.Review.AutoApprove; expression != "" {
		program, err := compile(requestEnvironment, "review.autoApprove", expression)
		if err != nil {
			problems = append(problems, asErrors(err)...)
		}
		p.autoApprove = program
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return p, nil
}

func asErrors(err error) Errors {
	if many, ok := errors.AsType[Errors](err); ok {
		return many
	}
	return Errors{{Message: err.Error()}}
}
