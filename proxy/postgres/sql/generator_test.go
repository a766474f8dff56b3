package sql_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes queries over people (id, name, email), orders (id, who, note) and
// the view seen (nr, mail, name). Every value is text.
type generator struct {
	*rand.Rand
	names int
}

// visible is an item of FROM: its name and columns.
type visible struct {
	name    string
	columns []string
	// row says that the name is of a row.
	row bool
}

func (g *generator) name() string {
	g.names++
	return fmt.Sprintf("%c%d", 'f'+g.names%10, g.names%4)
}

func (g *generator) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g *generator) maybe(n int) bool { return g.IntN(n) == 0 }

// query is a SELECT of one to three columns.
func (g *generator) query(outer []visible, depth int) string {
	text, _ := g.selects(outer, depth, 1+g.IntN(3))
	return text
}

// selects is a query of so many columns, and their names.
func (g *generator) selects(outer []visible, depth, width int) (string, []string) {
	if depth > 0 && g.maybe(6) {
		left, names := g.selects(outer, depth-1, width)
		right, _ := g.selects(outer, depth-1, width)
		return "(" + left + ") " + g.pick("UNION ALL", "UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT ALL") + " (" + right + ")", names
	}
	with := ""
	var ctes []visible
	if depth > 1 && g.maybe(4) {
		with, ctes = g.with(outer, depth-1)
	}
	from, items := g.from(outer, ctes, depth)
	scope := append(append([]visible(nil), items...), outer...)
	var targets, names []string
	grouped := depth > 0 && g.maybe(8)
	for range width {
		expression := g.expression(scope, depth)
		if grouped {
			expression = g.pick("max", "min", "string_agg", "count", "array_agg") + "(" + expression + ")"
			if strings.HasPrefix(expression, "string_agg") {
				expression = strings.TrimSuffix(expression, ")") + ", ',')"
			}
			if g.maybe(3) {
				expression += " FILTER (WHERE " + g.condition(scope, 0) + ")"
			}
			expression += "::text"
		} else if g.maybe(10) {
			expression = g.pick("lag", "first_value", "max") + "(" + expression + ") OVER (" + g.pick("", "ORDER BY "+g.plain(items), "PARTITION BY "+g.plain(items)) + ")"
		}
		name := g.name()
		targets, names = append(targets, expression+" AS "+name), append(names, name)
	}
	text := with + "SELECT " + g.pick("", "", "", "", "", "DISTINCT ") + strings.Join(targets, ", ") + " FROM " + from
	if g.maybe(2) {
		text += " WHERE " + g.condition(scope, depth)
	}
	if !grouped && g.maybe(4) {
		text += " ORDER BY " + g.pick("1", names[0])
	}
	if g.maybe(8) {
		text += " LIMIT 2"
	}
	return text, names
}

func (g *generator) with(outer []visible, depth int) (string, []visible) {
	name := g.name() + "c"
	if g.maybe(3) {
		first, _ := g.selects(nil, 0, 2)
		from := g.pick("people", "orders")
		text := fmt.Sprintf("WITH RECURSIVE %s (a, b, n) AS (SELECT x.*, 1 FROM (%s) x UNION ALL SELECT %s, %s, n + 1 FROM %s, %s p WHERE n < 3 AND p.id = %s) ",
			name, first, g.pick("a", "b", "p.id"), g.pick("a", "b || a", "b", "p.id || b"), name, from, g.pick("'1'", "'2'"))
		return text, []visible{{name, []string{"a", "b"}, true}}
	}
	query, names := g.selects(outer, depth, 2)
	if g.maybe(2) {
		names = []string{g.name(), g.name() + "x"}
		return "WITH " + name + " (" + strings.Join(names, ", ") + ") AS (" + query + ") ", []visible{{name, names, true}}
	}
	return "WITH " + name + " AS (" + query + ") ", []visible{{name, names, true}}
}

func (g *generator) from(outer, ctes []visible, depth int) (string, []visible) {
	text, items := g.item(outer, nil, ctes, depth)
	for n := g.IntN(3); n > 0 && depth > 0; n-- {
		next, more := g.item(outer, items, ctes, depth)
		switch g.IntN(5) {
		case 0:
			text += " CROSS JOIN " + next
		case 1:
			condition := g.plain(items) + " = " + g.plain(more)
			text += " " + g.pick("JOIN", "LEFT JOIN") + " " + next + " ON " + condition
		case 2:
			text += " JOIN " + next + " ON " + g.condition(append(append([]visible(nil), items...), more...), 0)
		default:
			text += ", " + next
		}
		items = append(items, more...)
	}
	return text, items
}

// item is an entry of FROM; LATERAL sees those before.
func (g *generator) item(outer, before, ctes []visible, depth int) (string, []visible) {
	name := g.name() + "t"
	lateral := append(append([]visible(nil), before...), outer...)
	switch choice := g.IntN(14); {
	case choice < 3 || depth == 0:
		return "people " + name, []visible{{name, []string{"id", "name", "email"}, true}}
	case choice == 3:
		columns := []string{g.name(), g.name() + "y", g.name() + "z"}
		return "people " + name + " (" + strings.Join(columns, ", ") + ")", []visible{{name, columns, true}}
	case choice == 4:
		return "orders " + name, []visible{{name, []string{"id", "who", "note"}, true}}
	case choice == 5:
		return "seen " + name, []visible{{name, []string{"nr", "mail", "name"}, true}}
	case choice == 6:
		other := name + "o"
		return fmt.Sprintf("(people %s JOIN orders %s USING (id))", name, other),
			[]visible{{name, []string{"name", "email"}, true}, {other, []string{"who", "note"}, true}, {"", []string{"id"}, false}}
	case choice == 7:
		return fmt.Sprintf("(people JOIN orders ON who = people.id) AS %s (a, b, c, d, e, f)", name), []visible{{name, []string{"a", "b", "c", "d", "e", "f"}, true}}
	case choice == 8:
		function := fmt.Sprintf(g.pick("unnest(ARRAY[%s, 'k'])", "regexp_split_to_table(%s, '@')", "unnest(string_to_array(%s, 'a'))"), g.expression(lateral, 0))
		return function + " AS " + name + " (v)", []visible{{name, []string{"v"}, false}}
	case choice == 9:
		return fmt.Sprintf("LATERAL (VALUES (%s, %s), ('v', 'w')) AS %s (p, q)", g.expression(lateral, 0), g.expression(lateral, 0), name), []visible{{name, []string{"p", "q"}, true}}
	case choice == 10 && len(ctes) > 0:
		return ctes[0].name + " " + name, []visible{{name, ctes[0].columns, true}}
	case choice == 11:
		return fmt.Sprintf("jsonb_each_text(to_jsonb((SELECT x FROM (SELECT %s AS k) x))) AS %s", g.expression(lateral, 0), name), []visible{{name, []string{"key", "value"}, false}}
	case choice == 12:
		query, names := g.selects(lateral, depth-1, 2)
		return "LATERAL (" + query + ") " + name, []visible{{name, names, true}}
	default:
		query, names := g.selects(outer, depth-1, 2)
		return "(" + query + ") AS " + name, []visible{{name, names, true}}
	}
}

// plain is a column that is more likely than not another than email.
func (g *generator) plain(items []visible) string {
	for range 6 {
		column := g.column(items)
		if !strings.Contains(column, "mail") || g.maybe(30) {
			return column
		}
	}
	return "'c'"
}

func (g *generator) column(items []visible) string {
	if len(items) == 0 {
		return "'c'"
	}
	i := items[g.IntN(len(items))]
	column := i.columns[g.IntN(len(i.columns))]
	switch {
	case i.name == "":
		return column
	case i.row && g.maybe(8):
		return "(" + i.name + ")." + column
	default:
		return i.name + "." + column
	}
}

func (g *generator) expression(scope []visible, depth int) string {
	if depth < 0 {
		return g.column(scope)
	}
	switch g.IntN(22) {
	case 0:
		return "upper(" + g.expression(scope, depth-1) + ")"
	case 1:
		return "(" + g.expression(scope, depth-1) + " || " + g.expression(scope, depth-1) + ")"
	case 2:
		return "CASE WHEN " + g.condition(scope, 0) + " THEN " + g.expression(scope, depth-1) + " ELSE 'e' END"
	case 3:
		return "coalesce(" + g.expression(scope, depth-1) + ", 'z')"
	case 4:
		return "left(" + g.expression(scope, depth-1) + "::varchar, 1)"
	case 5:
		return "(ARRAY[" + g.expression(scope, depth-1) + ", 'y'])[1]"
	case 6:
		return "(" + g.condition(scope, 0) + ")::text"
	case 7:
		if depth > 0 {
			query, _ := g.selects(scope, depth-1, 1)
			return "(SELECT max(s.v) FROM (" + query + ") s (v))"
		}
	case 8:
		if depth > 0 {
			query, _ := g.selects(scope, depth-1, 1)
			return "EXISTS (" + query + ")::text"
		}
	case 9:
		if depth > 0 {
			query, _ := g.selects(scope, depth-1, 1)
			return "array_to_string(ARRAY(" + query + "), ',')"
		}
	case 10:
		for _, i := range scope {
			if i.row && g.maybe(2) {
				return g.pick("row_to_json("+i.name+")::text", i.name+"::text", "("+i.name+").row_to_json::text", "to_jsonb("+i.name+".*)::text")
			}
		}
	case 13:
		return "(" + g.pick("regexp_matches", "regexp_split_to_array") + "(" + g.expression(scope, depth-1) + ", '[a-c1]'))[1]"
	case 11:
		return "nullif(" + g.expression(scope, depth-1) + ", 'n1')"
	case 12:
		return "(" + g.expression(scope, depth-1) + " IN (" + g.expression(scope, depth-1) + ", 'n2'))::text"
	}
	return g.column(scope)
}

// condition mostly leaves email alone, so that what comes out can be compared.
func (g *generator) condition(scope []visible, depth int) string {
	switch g.IntN(8) {
	case 0:
		return g.plain(scope) + " LIKE '%1%'"
	case 1:
		return g.plain(scope) + " IS NOT NULL"
	case 2:
		return g.plain(scope) + " = " + g.plain(scope)
	case 3:
		if depth > 0 {
			return "EXISTS (SELECT 1 FROM orders k1 WHERE k1.who = " + g.plain(scope) + ")"
		}
	case 4:
		if depth > 0 {
			query, _ := g.selects(scope, 0, 1)
			return g.plain(scope) + " IN (" + query + ")"
		}
	}
	return g.plain(scope) + " <> 'q'"
}
