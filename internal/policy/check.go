package policy

import (
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// supported refuses what the schema can say and this version does not obey. The
// schema's enums are checked again: a newer one may be installed than this code.
func supported(spec v1alpha1.AccessPolicySpec) error {
	if d := spec.Recording.Durability; d != "" && d != v1alpha1.DurabilityProcess {
		return &UnsupportedError{Field: "recording.durability", Value: string(d)}
	}
	switch spec.Isolation {
	case "", v1alpha1.IsolationRequired, v1alpha1.IsolationReported:
	default:
		return &UnsupportedError{Field: "isolation", Value: string(spec.Isolation)}
	}
	for _, r := range spec.Rules {
		switch r.Effect {
		case v1alpha1.EffectDeny, v1alpha1.EffectHold, v1alpha1.EffectAllow:
		default:
			return &UnsupportedError{Field: "rules[" + r.Name + "].effect", Value: fmt.Sprintf("%q", r.Effect)}
		}
	}
	for _, r := range spec.Review.Requirements {
		if r.FromTask != "" && r.FromTask != v1alpha1.FromTaskReviewer {
			return &UnsupportedError{Field: "review.requirements[" + r.Name + "].fromTask", Value: string(r.FromTask)}
		}
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

var privileges = []v1alpha1.RelationPrivilege{
	v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert, v1alpha1.PrivilegeUpdate, v1alpha1.PrivilegeDelete,
}

// check finds what could not be granted or told apart, expressions aside.
func check(spec v1alpha1.AccessPolicySpec) Errors {
	var problems Errors
	if spec.Grant.Postgres == nil {
		problems = append(problems, &Error{Field: "grant", Message: "names no protocol: say what postgres grants"})
	} else {
		for _, r := range spec.Grant.Postgres.Relations {
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
	seen := map[string]bool{}
	for _, r := range spec.Rules {
		field := "rules[" + r.Name + "].name"
		switch {
		case r.Name == RuleUnderstood || r.Name == RuleGrant || r.Name == RuleDefault:
			problems = append(problems, &Error{Field: field, Message: "the name is reserved: choose another"})
		case seen[r.Name]:
			problems = append(problems, &Error{Field: field, Message: "two rules have this name: a refusal could not say which"})
		}
		seen[r.Name] = true
	}
	return problems
}

var readOnly = []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}
