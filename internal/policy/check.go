package policy

import (
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// supported refuses what the schema can say and this version does not obey. The
// schema's enums are checked again: a newer one may be installed than this code.
func supported(spec v1alpha1.AccessPolicySpec) error {
	switch spec.Recording.Durability {
	case "", v1alpha1.DurabilityProcess, v1alpha1.DurabilityDisk, v1alpha1.DurabilityRemote:
	default:
		return &UnsupportedError{Field: "recording.durability", Value: fmt.Sprintf("%q", spec.Recording.Durability)}
	}
	switch spec.Recording.Output {
	case "", v1alpha1.OutputCounts, v1alpha1.OutputFull:
	default:
		return &UnsupportedError{Field: "recording.output", Value: fmt.Sprintf("%q", spec.Recording.Output)}
	}
	switch spec.Isolation {
	case "", v1alpha1.IsolationRequired, v1alpha1.IsolationReported:
	default:
		return &UnsupportedError{Field: "isolation", Value: string(spec.Isolation)}
	}
	for _, r := range spec.Rules {
		if !slices.Contains(strengths[:], r.Effect) {
			return &UnsupportedError{Field: "rules[" + r.Name + "].effect", Value: fmt.Sprintf("%q", r.Effect)}
		}
	}
	if err := supportedSeats("review", spec.Review.Requirements); err != nil {
		return err
	}
	if err := supportedSeats("hold", spec.Hold.Requirements); err != nil {
		return err
	}
	if spec.Grant.SSH != nil {
		return supportedSSH(spec.Grant.SSH)
	}
	if spec.Grant.Postgres == nil {
		return nil
	}
	for _, r := range spec.Grant.Postgres.Relations {
		for _, p := range r.Privileges {
			if !slices.Contains(privileges, p) {
				return &UnsupportedError{Field: "grant.postgres.relations[" + qualified(r) + "].privileges", Value: fmt.Sprintf("%q", p)}
			}
		}
	}
	return nil
}

func supportedSeats(of string, requirements []v1alpha1.ReviewRequirement) error {
	for _, r := range requirements {
		if r.FromTask != "" && r.FromTask != v1alpha1.FromTaskReviewer {
			return &UnsupportedError{Field: of + ".requirements[" + r.Name + "].fromTask", Value: string(r.FromTask)}
		}
	}
	return nil
}

var privileges = []v1alpha1.RelationPrivilege{
	v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert, v1alpha1.PrivilegeUpdate, v1alpha1.PrivilegeDelete,
}

// check finds what could not be granted or told apart, expressions aside.
func check(spec v1alpha1.AccessPolicySpec) Errors {
	var problems Errors
	switch g := spec.Grant.Postgres; {
	case g == nil && spec.Grant.SSH == nil:
		problems = append(problems, &Error{Field: "grant", Message: "names no protocol: say what postgres or ssh grants"})
	case g != nil && spec.Grant.SSH != nil:
		problems = append(problems, &Error{Field: "grant", Message: "names two protocols: write a policy for each"})
	case g == nil:
		problems = append(problems, checkSSH(spec)...)
	default:
		if g.Unrestricted && namesThings(g) {
			problems = append(problems, &Error{Field: "grant.postgres.unrestricted", Message: "grants everything, and names something: name nothing, or leave unrestricted out"})
		}
		for _, r := range g.Relations {
			// A row of pg_settings or pg_class is the server's own state: an UPDATE
			// there changes settings, which no rule would see.
			if systemSchema(r.Schema) && !slices.Equal(r.Privileges, readOnly) {
				problems = append(problems, &Error{
					Field:   "grant.postgres.relations[" + qualified(r) + "].privileges",
					Message: "system catalogs can be granted for SELECT only",
				})
			}
		}
	}
	problems = append(problems, checkHolders(spec)...)
	seen := map[string]bool{}
	for _, r := range spec.Rules {
		field := "rules[" + r.Name + "].name"
		switch {
		case slices.Contains(reserved, r.Name):
			problems = append(problems, &Error{Field: field, Message: "the name is reserved: choose another"})
		case seen[r.Name]:
			problems = append(problems, &Error{Field: field, Message: "two rules have this name: a refusal could not say which"})
		}
		seen[r.Name] = true
	}
	return problems
}

// checkHolders finds holds that nobody could answer, or the requester alone.
func checkHolders(spec v1alpha1.AccessPolicySpec) Errors {
	who := HoldRequirements(spec)
	switch {
	case len(spec.Hold.Requirements) == 0 && !Holds(spec):
		return nil
	case len(who) == 0:
		return Errors{{Field: "hold.requirements", Message: "a rule holds operations, and nobody is named to answer: name them here or in review.requirements"}}
	case !slices.ContainsFunc(who, func(r v1alpha1.ReviewRequirement) bool { return r.FromTask == "" }):
		return Errors{{Field: "hold.requirements", Message: "fromTask cannot be in every requirement, the requester wrote that name: add one without"}}
	}
	return nil
}

var reserved = []string{RuleUnderstood, RuleGrant, RuleMasking, RuleDefault}

var readOnly = []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}
