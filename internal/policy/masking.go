package policy

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/internal/mask"
)

// unmaskable says how an action would carry values of masked columns past their
// masks; empty means that it does not. It is asked only where columns are masked.
// A value that is read and comes out is fine: it is masked on its way.
func (p *Policy) unmaskable(a Action) string {
	for i := range a.Access {
		access := &a.Access[i]
		if dataCatalog(access) {
			return access.relation() + " holds samples of masked columns: leave it out"
		}
		if a.NoCatalog && !systemSchema(access.Schema) {
			return "what " + access.relation() + " is made of is not known yet, and it may show masked columns: try again"
		}
	}
	for i := range a.Columns {
		if why := p.leak(&a.Columns[i]); why != "" {
			return why
		}
	}
	switch {
	case a.Opaque != "":
		return "it may read masked columns, since it cannot be looked into: " + a.Opaque + ": leave it out"
	case a.NoCatalog && len(a.Functions)+len(a.Calls) > 0:
		return "what its functions read is not known yet, and may be masked columns: try again"
	case p.grant.unrestricted:
		return aroundMasks(a.Kind)
	}
	return ""
}

// leak says how one use of a column gives away more than its mask shows.
func (p *Policy) leak(c *ColumnUse) string {
	if c.Use == UseOutput || c.Use == UseWrite || !p.masked(c) {
		return ""
	}
	name := c.Schema + "." + c.Relation + "." + c.Column
	if c.Column == "*" {
		name = "a column of " + c.Schema + "." + c.Relation
	}
	switch c.Use {
	case UseFilter:
		if p.masks.InferenceAllowed() {
			return ""
		}
		return name + " is masked, so it cannot decide which rows come out or in which order: select it, and use other columns in WHERE, ORDER BY and GROUP BY"
	case UseCopy:
		return name + " is masked, so what it holds cannot be copied: leave it out"
	default:
		return name + " is masked, so it cannot be handed to a function: leave it out"
	}
}

// masked says whether a column has a mask; "*" has one if any of its relation has.
func (p *Policy) masked(c *ColumnUse) bool {
	if c.Column == "*" {
		return p.maskedRelations[mask.Relation{Schema: c.Schema, Name: c.Relation}]
	}
	_, ok := p.masks.Column(c.Schema, c.Relation, c.Column)
	return ok
}

// dataCatalog is for relations of PostgreSQL's own in which values of any table stand:
// samples for the planner, and what was too long for its row.
func dataCatalog(a *Access) bool {
	switch a.Schema {
	case "pg_toast":
		return true
	case "pg_catalog":
		return statistics[a.Name] || strings.HasPrefix(a.Name, "pg_toast")
	}
	return false
}

// aroundMasks says whether a kind of operation of an unrestricted grant may lead
// around masks: they go by names, which a change of the schema can take away.
func aroundMasks(kind string) string {
	if slices.Contains(rowKinds, kind) || slices.Contains(sessionKinds, kind) || slices.Contains(maskedKinds, kind) || strings.HasPrefix(kind, "drop ") {
		return ""
	}
	return kind + " may lead around the masks of this policy: ask for access under a policy that masks no column"
}

// maskedKinds are the kinds, beside those that every grant may cover, that leave names
// as they are; where they copy a column, or run what cannot be looked into, the action
// says so.
var maskedKinds = []string{
	"prepare", "execute", "listen", "unlisten", "notify", "lock", "truncate", "analyze", "vacuum", "reindex", "checkpoint", "discard",
	"set constraints", "create index", "create table as", "call",
}
