package canary

import (
	"fmt"
	"strings"
)

// from makes n sources, and the clause that brings them.
func (g *grammar) from(n, depth int) ([]source, string) {
	var sources []source
	var clause strings.Builder
	for i := range n {
		s, item := g.item(sources, depth)
		switch {
		case i == 0:
			clause.WriteString(item)
		case g.one(4) || strings.HasPrefix(item, "LATERAL"):
			clause.WriteString(" CROSS JOIN " + item)
		case g.one(3):
			fmt.Fprintf(&clause, ", %s", item)
		default:
			on := "%n = %n"
			fmt.Fprintf(&clause, " %s JOIN %s ON %s", pick(g, []string{"", "LEFT", "FULL"}), item, g.choosing(on, append(sources, s), 1))
		}
		sources = append(sources, s)
	}
	return sources, clause.String()
}

// item of a FROM clause.
func (g *grammar) item(before []source, depth int) (source, string) {
	g.aliases++
	alias := fmt.Sprintf("r%d", g.aliases)
	if depth > 1 {
		switch g.IntN(12) {
		case 0, 1:
			columns, query := g.query(depth-1, nil)
			return source{alias, columns}, "(" + query + ") AS " + alias
		case 2:
			columns, query := g.query(depth-1, before)
			return source{alias, columns}, "LATERAL (" + query + ") AS " + alias
		case 3:
			sources, clause := g.from(1, 0)
			return source{alias, []column{{"v", text}, {"n", number}}}, fmt.Sprintf("(VALUES ('a', 1), ((SELECT %s FROM %s LIMIT 1), 2)) AS %s(v, n)", g.expression(text, sources, 1), clause, alias)
		case 4:
			if len(before) > 0 {
				return source{alias, []column{{"x", text}}}, g.fill(pick(g, []string{
					"unnest(%a)", "regexp_split_to_table(%t, '@')", "jsonb_object_keys(%j)", "string_to_table(%t, '@')", "jsonb_array_elements_text(to_jsonb(%a))",
				}), before, 1) + " AS " + alias + "(x)"
			}
		case 5:
			if len(before) > 0 {
				return source{alias, []column{{"k", text}, {"e", text}}}, g.fill("jsonb_each_text(%j)", before, 2) + " AS " + alias + "(k, e)"
			}
		}
	}
	r := pick(g, relations)
	return source{alias, r.columns}, r.name + " AS " + alias
}

// choosing is an expression where rows are chosen.
func (g *grammar) choosing(pattern string, from []source, depth int) string {
	if g.clear {
		from, depth = clearOf(from), min(depth, 1)
	}
	return g.fill(strings.ReplaceAll(pattern, "%o", pick(g, []string{"%n", "%t"})), from, depth)
}

// clearColumns are never masked.
var clearColumns = map[string]bool{"id": true, "name": true, "grp": true, "region": true, "city": true, "amount": true, "note": true, "label": true, "town": true, "people": true, "reason": true, "person": true}

func clearOf(from []source) []source {
	var out []source
	for _, s := range from {
		c := source{alias: s.alias}
		for _, column := range s.columns {
			if clearColumns[column.name] {
				c.columns = append(c.columns, column)
			}
		}
		out = append(out, c)
	}
	return out
}

// query is a SELECT, and its columns.
func (g *grammar) query(depth int, outer []source) ([]column, string) {
	if depth > 1 && g.one(8) {
		return g.set(depth)
	}
	with := ""
	sources, clause := g.from(1+g.IntN(2), depth)
	if depth > 1 && g.one(6) {
		columns, query := g.query(depth-1, nil)
		g.aliases++
		name := fmt.Sprintf("w%d", g.aliases)
		with = fmt.Sprintf("WITH %s AS %s(%s) ", name, pick(g, []string{"", "MATERIALIZED ", "NOT MATERIALIZED "}), query)
		sources = append(sources, source{name, columns})
		clause += ", " + name
	}
	visible := append(sources, outer...)
	var columns []column
	var list []string
	grouped := g.one(6)
	for i := range 1 + g.IntN(5) {
		k := pick(g, kinds)
		value := g.expression(k, visible, 1+g.IntN(depth+1))
		switch {
		case grouped:
			value, k = g.fill(pick(g, aggregates), visible, depth), whole
		case g.one(12):
			value, k = g.choosing(pick(g, windows), visible, depth), whole
		case g.one(14):
			value, k = g.row(sources), whole
		}
		name := fmt.Sprintf("c%d", i)
		list = append(list, value+" AS "+name)
		columns = append(columns, column{name, k})
	}
	tail := ""
	if g.one(3) {
		tail += " WHERE " + g.choosing("%b", visible, 2)
	}
	if grouped && g.one(2) {
		tail += " GROUP BY " + g.choosing("%o", visible, 2)
		if g.one(3) {
			tail += " HAVING count(*) > 0"
		}
	}
	if !grouped && g.one(4) {
		tail += " ORDER BY " + g.choosing("%o", visible, 1)
	}
	distinct := ""
	if !g.clear && g.one(12) {
		distinct = "DISTINCT "
	}
	// Bounded: joins without conditions are many rows.
	return columns, with + "SELECT " + distinct + strings.Join(list, ", ") + " FROM " + clause + tail + fmt.Sprintf(" LIMIT %d", 1+g.IntN(200))
}

// set is two queries together.
func (g *grammar) set(depth int) ([]column, string) {
	var parts []string
	k := pick(g, []kind{text, number, document, blob})
	for range 2 {
		sources, clause := g.from(1, depth-1)
		parts = append(parts, fmt.Sprintf("(SELECT %s AS a, %s AS b FROM %s LIMIT %d)", g.expression(k, sources, depth), g.expression(text, sources, depth), clause, 1+g.IntN(40)))
	}
	operator := "UNION ALL"
	if !g.clear {
		operator = pick(g, []string{"UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL"})
	}
	return []column{{"a", k}, {"b", text}}, strings.Join(parts, " "+operator+" ")
}
