package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Narrow returns the policy's grant narrowed to what the request names. What the
// request names beyond it is an error that lists all of it. A request that says
// nothing for the protocol narrows nothing; one that names a database alone keeps
// that and no relation.
func Narrow(policy v1alpha1.Grant, request *v1alpha1.Grant) (v1alpha1.Grant, error) {
	if request != nil && request.SSH != nil {
		return narrowSSH(policy, request.SSH)
	}
	if request == nil || request.Postgres == nil {
		return *policy.DeepCopy(), nil
	}
	if policy.Postgres == nil {
		return v1alpha1.Grant{}, fmt.Errorf("the request asks for more than its policy grants: postgres: name less, or another policy")
	}
	if policy.Postgres.Unrestricted && request.Postgres.Database == policy.Postgres.Database {
		if namesThings(request.Postgres) {
			return v1alpha1.Grant{}, fmt.Errorf("the request narrows an unrestricted grant, which cannot be narrowed: name the database alone, or another policy")
		}
		return *policy.DeepCopy(), nil
	}
	if beyond := exceeds(policy.Postgres, request.Postgres); len(beyond) > 0 {
		return v1alpha1.Grant{}, fmt.Errorf("the request asks for more than its policy grants: %s: name less, or another policy", strings.Join(beyond, ", "))
	}
	narrowed := *request.DeepCopy()
	for i := range narrowed.Postgres.Relations {
		narrowed.Postgres.Relations[i].Schema = schemaOf(narrowed.Postgres.Relations[i])
	}
	return narrowed, nil
}

func namesThings(g *v1alpha1.PostgresGrant) bool {
	return len(g.Relations)+len(g.Sequences)+len(g.Functions) > 0
}

// exceeds lists what the request names and the policy does not.
func exceeds(policy, request *v1alpha1.PostgresGrant) []string {
	var beyond []string
	if request.Database != policy.Database {
		beyond = append(beyond, "database "+request.Database)
	}
	if request.Unrestricted && !policy.Unrestricted {
		beyond = append(beyond, "unrestricted")
	}
	granted := newPostgresGrant(policy)
	for _, r := range request.Relations {
		for _, p := range r.Privileges {
			if !granted.relations[privilege{schemaOf(r), r.Name, p}] {
				beyond = append(beyond, string(p)+" on "+qualified(r))
			}
		}
	}
	for _, s := range request.Sequences {
		if !slices.Contains(policy.Sequences, s) {
			beyond = append(beyond, "sequence "+s)
		}
	}
	for _, f := range request.Functions {
		if !slices.Contains(policy.Functions, f) {
			beyond = append(beyond, "function "+f)
		}
	}
	return beyond
}
