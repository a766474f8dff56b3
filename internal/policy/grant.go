package policy

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// rowKinds are the kinds that read and write rows: the grant covers them as far
// as it names what they touch.
var rowKinds = []string{"select", "values", "insert", "update", "delete", "merge", "copy-from", "copy-to", "explain", "declare"}

// sessionKinds steer the session and touch nothing by themselves. The engine
// lets only harmless settings through as "set" and "reset"; the rest is Unknown.
var sessionKinds = []string{
	"begin", "commit", "rollback", "savepoint", "release", "rollback to",
	"set", "reset", "show", "fetch", "move", "close", "deallocate",
}

// postgresGrant is a PostgresGrant made for look-up. A nil one covers nothing.
type postgresGrant struct {
	unrestricted bool
	relations    map[privilege]bool
	sequences    map[string]bool
	functions    map[string]bool
}

type privilege struct {
	schema, name string
	privilege    v1alpha1.RelationPrivilege
}

func newPostgresGrant(g *v1alpha1.PostgresGrant) *postgresGrant {
	if g == nil {
		return nil
	}
	out := &postgresGrant{
		unrestricted: g.Unrestricted,
		relations:    map[privilege]bool{}, sequences: map[string]bool{}, functions: map[string]bool{},
	}
	for _, r := range g.Relations {
		for _, p := range r.Privileges {
			out.relations[privilege{schemaOf(r), r.Name, p}] = true
		}
	}
	for _, s := range g.Sequences {
		out.sequences[s] = true
	}
	for _, f := range g.Functions {
		out.functions[f] = true
	}
	return out
}

// outside says what of the action the grant does not cover; empty means all is
// covered. What is reached behind something else (Via) is its owner's to give.
func (g *postgresGrant) outside(a Action) string {
	if g == nil || a.Protocol != "postgres" {
		return "the policy grants nothing for protocol " + a.Protocol
	}
	if g.unrestricted || steersSession(a) {
		return ""
	}
	if !slices.Contains(rowKinds, a.Kind) && (a.Kind != "lock" || len(a.Access) == 0) {
		return a.Kind + " is outside the grant, which covers the rows of named relations"
	}
	var missing []string
	for i := range a.Access {
		access := &a.Access[i]
		if access.Via == "" && !g.relations[privilege{access.Schema, access.Name, access.Privilege}] && !implicit(*access) {
			missing = append(missing, string(access.Privilege)+" on "+access.relation())
		}
	}
	for _, f := range a.Functions {
		if !g.functions[f] {
			missing = append(missing, "EXECUTE on function "+f)
		}
	}
	for _, s := range a.Sequences {
		if !g.sequences[s] && !g.mayDraw(s) {
			missing = append(missing, "USAGE on sequence "+s)
		}
	}
	if a.Opaque != "" {
		missing = append(missing, g.unseen(a)...)
	}
	if len(missing) == 0 {
		return ""
	}
	slices.Sort(missing)
	return "the grant lacks " + strings.Join(slices.Compact(missing), ", ")
}

// unseen lists what must be named since it cannot be looked into, beside what must be
// named anyhow: who names it knows what it does. An action that does not say which
// function it is needs them all.
func (g *postgresGrant) unseen(a Action) []string {
	told := slices.ContainsFunc(a.Calls, func(c Call) bool { return c.Opaque })
	if !told && len(a.Calls)+len(a.Functions) == 0 {
		return []string{"what cannot be looked into (" + a.Opaque + ")"}
	}
	var missing []string
	for _, c := range a.Calls {
		if c.Opaque == told && !g.functions[c.Function] && !slices.Contains(a.Functions, c.Function) {
			missing = append(missing, "EXECUTE on function "+c.Function+", which cannot be looked into ("+a.Opaque+")")
		}
	}
	return missing
}

// mayDraw says whether the sequence is granted as a relation: PostgreSQL lets
// UPDATE draw values too.
func (g *postgresGrant) mayDraw(sequence string) bool {
	schema, name, _ := strings.Cut(sequence, ".")
	return g.relations[privilege{schema, name, v1alpha1.PrivilegeUpdate}]
}

// steersSession is for actions of a session kind that indeed touch nothing.
func steersSession(a Action) bool {
	if a.SSH != nil {
		return asksOnly(&a)
	}
	return slices.Contains(sessionKinds, a.Kind) && len(a.Access)+len(a.Functions)+len(a.Calls)+len(a.Sequences) == 0 && a.Opaque == ""
}

func schemaOf(r v1alpha1.RelationGrant) string {
	if r.Schema == "" {
		return "public"
	}
	return r.Schema
}

func qualified(r v1alpha1.RelationGrant) string { return schemaOf(r) + "." + r.Name }
