package judge_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// grammar makes statements over the relations of testdata/oracle.sql.
type grammar struct {
	rand  *rand.Rand
	alias int
	depth int
}

// relation is something to select from: columns of kind 'i' int and 't' text.
type relation struct {
	name, kinds string
	columns     []string
	writable    bool
}

func rel(writable bool, name string, columns ...string) relation {
	r := relation{name: name, writable: writable}
	for _, column := range columns {
		column, kind, _ := strings.Cut(column, " ")
		r.columns, r.kinds = append(r.columns, column), r.kinds+kind
	}
	return r
}

var relations = []relation{
	rel(true, "customers", "id i", "name t", "email t", "region t"),
	rel(true, "products", "sku t", "title t", "price i"),
	rel(true, "orders", "id i", "customer_id i", "status t", "amount i", "note t"),
	rel(true, "items", "order_id i", "line i", "sku t", "qty i"),
	rel(true, "audit", "id i", "what t", "who t"),
	rel(true, "counters", "name t", "n i"),
	rel(true, "members", "id i", "name t"),
	rel(true, "rates", "id i", "rate i"),
	rel(true, "bare", "id i", "v t"),
	rel(true, "other.bare", "id i", "v t"),
	rel(true, "things", "id i", "v t"),
	rel(true, "events", "at i", "kind t", "body t"),
	rel(true, "events_1", "at i", "kind t", "body t"),
	rel(true, "events_2", "at i", "kind t", "body t"),
	rel(true, "events_2_a", "at i", "kind t", "body t"),
	rel(true, "animals", "name t", "legs i"),
	rel(true, "dogs", "name t", "legs i", "bark t"),
	rel(true, "puppies", "name t", "legs i", "bark t", "age i"),
	rel(true, "docs", "body t", "tag t"),
	rel(true, "smalls", "id i", "v t"),
	rel(true, "secrets", "id i", "owner t", "value t"),
	rel(true, "part_trigger", "id i", "v t"),
	rel(true, "part_trigger_1", "id i", "v t"),
	rel(true, "ruled", "id i", "v t"),
	rel(false, "v_customers", "id i", "name t", "mail t"),
	rel(false, "v_orders", "id i", "note t", "email t", "title t"),
	rel(false, "v_views", "contact t", "note t"),
	rel(true, "v_update", "id i", "email t", "region t"),
	rel(true, "v_update_2", "id i", "e t"),
	rel(false, "v_union", "id i", "v t"),
	rel(false, "v_function", "id i"),
	rel(true, "v_star", "id i", "v t"),
	rel(false, "v_cte", "id i", "note t", "most t"),
	rel(true, "v_barrier", "id i", "value t"),
	rel(true, "v_events", "at i", "body t"),
	rel(true, "v_trigger", "id i", "v t"),
	rel(true, "v_rules", "id i", "v t"),
	rel(false, "totals", "region t"),
	rel(false, "app.all_orders()", "id i", "note t", "status t"),
	rel(false, "app.mails()", "id i", "mail t"),
	rel(false, "app.rows_of(1)", "order_id i", "remark t"),
	rel(false, "dynamic_table", "id i", "v t"),
	rel(true, "hidden", "id i", "v t"),
	rel(true, "peeks", "id i", "v t"),
	rel(true, "conditional", "id i", "v t"),
	rel(true, "v_default", "id i", "v t"),
	rel(true, "keyed", "id i", "of i"),
	rel(true, "part_keyed", "id i", "k i"),
	rel(true, "part_pk", "id i"),
	rel(true, "refers", "id i"),
	rel(true, "by_function", "id i", "v t"),
	rel(true, "policed", "id i", "v t"),
	rel(false, "v_deep", "id i", "mail t"),
	rel(false, "v_recursive", "n i", "v t"),
	rel(false, "v_aggregate", "region t", "mails t"),
	rel(false, "m_mails", "id i", "mail t"),
	rel(false, "app.returns_customers()", "id i", "name t", "email t"),
	rel(false, "numbers", "last_value i"),
	rel(false, "\"Odd Name\"", "id i", "\"Odd Column\" t"),
}

// source is a relation, or a query, under an alias.
type source struct {
	alias string
	relation
}

func (g *grammar) pick(options ...func() string) string { return options[g.rand.IntN(len(options))]() }

func (g *grammar) chance(percent int) bool { return g.rand.IntN(100) < percent }

func (g *grammar) fresh() string {
	g.alias++
	return fmt.Sprintf("a%d", g.alias)
}

func (g *grammar) writable() relation {
	for {
		if r := relations[g.rand.IntN(len(relations))]; r.writable {
			return r
		}
	}
}

// statement makes one.
func (g *grammar) statement() string {
	g.alias, g.depth = 0, 0
	switch n := g.rand.IntN(100); {
	case n < 45:
		return g.with() + g.query(nil, 0)
	case n < 57:
		return g.with() + g.insert()
	case n < 69:
		return g.with() + g.update()
	case n < 79:
		return g.with() + g.delete()
	case n < 86:
		return g.merge()
	case n < 90:
		return "EXPLAIN ANALYZE " + g.pick(func() string { return g.query(nil, 0) }, g.update, g.delete, g.insert)
	case n < 94:
		return "COPY (" + g.pick(func() string { return g.query(nil, 0) }, func() string { return g.delete() + " RETURNING *" }) + ") TO STDOUT"
	case n < 97:
		return "DECLARE c CURSOR FOR " + g.query(nil, 0) + "; FETCH ALL FROM c"
	case n < 98:
		return g.query(nil, 0) + "; " + g.delete()
	case n < 99:
		return "CALL app.proc(1)"
	default:
		return "SELECT app.dynamic('orders')"
	}
}

// with makes a CTE at times, one that changes data at others.
func (g *grammar) with() string {
	if !g.chance(15) {
		return ""
	}
	return g.pick(
		func() string { return "WITH w AS (" + g.query(nil, 0) + ") " },
		func() string { return "WITH w AS MATERIALIZED (" + g.query(nil, 0) + ") " },
		func() string { r := g.writable(); return "WITH w AS (" + g.deleteOf(r) + " RETURNING *) " },
		func() string { r := g.writable(); return "WITH w AS (" + g.updateOf(r) + " RETURNING *) " },
		func() string {
			r := g.writable()
			return "WITH w AS (" + g.insertInto(r) + " RETURNING " + r.columns[0] + ") "
		},
	)
}

// from makes the items of FROM, and says what they are.
func (g *grammar) from(outer []source) (string, []source) {
	var items []string
	var sources []source
	for range 1 + g.rand.IntN(3)*g.rand.IntN(2) {
		r, alias := relations[g.rand.IntN(len(relations))], g.fresh()
		text := r.name + " " + alias
		switch {
		case g.chance(10) && !strings.Contains(r.name, "("):
			text = "ONLY " + text
		case g.chance(15) && g.depth < 2:
			g.depth++
			text = "(" + g.query(nil, 2) + ") " + alias + " (x, y)"
			g.depth--
			r = relation{columns: []string{"x", "y"}, kinds: "it"}
		case g.chance(8) && g.depth < 2:
			g.depth++
			text = "LATERAL (" + g.query(append(slices.Clone(outer), sources...), 2) + ") " + alias + " (x, y)"
			g.depth--
			r = relation{columns: []string{"x", "y"}, kinds: "it"}
		}
		here := source{alias, r}
		if len(items) > 0 && g.chance(50) {
			join := []string{"JOIN", "LEFT JOIN", "FULL JOIN"}[g.rand.IntN(3)]
			items[len(items)-1] += fmt.Sprintf(" %s %s ON %s = %s", join, text, g.column(sources[len(sources)-1:], 'i'), g.column([]source{here}, 'i'))
		} else {
			items = append(items, text)
		}
		sources = append(sources, here)
	}
	return " FROM " + strings.Join(items, ", "), sources
}

// column is one of the sources' of a kind, a constant where none has any.
func (g *grammar) column(sources []source, kind byte) string {
	var found []string
	for _, s := range sources {
		for i, column := range s.columns {
			if s.kinds[i] == kind {
				found = append(found, s.alias+"."+column)
			}
		}
	}
	if len(found) == 0 {
		return map[byte]string{'i': "1", 't': "'t'::text"}[kind]
	}
	return found[g.rand.IntN(len(found))]
}

// number is an expression of type int.
func (g *grammar) number(s []source) string {
	return g.pick(
		func() string { return g.column(s, 'i') },
		func() string { return g.column(s, 'i') },
		func() string { return fmt.Sprint(g.rand.IntN(20)) },
		func() string { return "length(" + g.text(s) + ")" },
		func() string { return "(" + g.column(s, 'i') + " % 10 + 1)" },
		func() string { return "app.pure(" + g.column(s, 'i') + " % 100)" },
		func() string {
			return "CASE WHEN " + g.condition(s) + " THEN " + g.column(s, 'i') + " ELSE 0 END"
		},
		func() string { return g.scalar(s, "id", "count(*)::int") },
		func() string { return "coalesce(app.total(" + g.column(s, 'i') + "), 1)::int" },
		func() string { return "app.f(" + g.text(s) + ")" },
		func() string { return "app.f(" + g.column(s, 'i') + ")" },
		func() string {
			return []string{"app.peek()", "app.default_call()", "app.chain(1)", "app.bump('x')", "app.loops(1)", "nextval('numbers')::int",
				"app.sum_of(1, 2)::int", "app.pathless()::int", "app.pathful()::int", "app.definer()::int", "app.add_log('x')::int",
				"app.with_default()::int"}[g.rand.IntN(12)]
		},
	)
}

// text is an expression of type text.
func (g *grammar) text(s []source) string {
	if g.depth > 3 {
		return g.column(s, 't')
	}
	g.depth++
	defer func() { g.depth-- }()
	return g.pick(
		func() string { return g.column(s, 't') },
		func() string { return g.column(s, 't') },
		func() string { return g.column(s, 't') },
		func() string { return "'c" + fmt.Sprint(g.rand.IntN(9)) + "'::text" },
		func() string { return "upper(" + g.text(s) + ")" },
		func() string { return "(" + g.text(s) + " || " + g.text(s) + ")" },
		func() string { return "coalesce(" + g.text(s) + ", " + g.text(s) + ")" },
		func() string { return "CASE WHEN " + g.condition(s) + " THEN " + g.text(s) + " END" },
		func() string { return "(" + g.text(s) + ")::varchar::text" },
		func() string { return "(to_jsonb(" + s[g.rand.IntN(len(s))].alias + ")::text)" },
		func() string { return "(ARRAY[" + g.text(s) + ", " + g.text(s) + "])[1]" },
		func() string { return g.scalar(s, "", "max(%s)") },
		func() string { return "app.title(" + g.text(s) + ")" },
		func() string { return "row(" + g.text(s) + ", 1)::text" },
		func() string { return "app.nested_path()" },
		func() string { return "app.as_json()::text" },
		func() string { return "(xpath('/a/text()', xmlelement(name a, " + g.text(s) + ")))[1]::text" },
		func() string { return "concat(" + g.text(s) + ", " + g.number(s) + ")" },
		func() string { return "greatest(" + g.text(s) + ", " + g.text(s) + ")" },
		func() string { return "(SELECT t FROM (SELECT " + g.text(s) + " AS t) q)" },
		func() string { return "(WITH q (t) AS (SELECT " + g.text(s) + ") SELECT t FROM q)" },
	)
}

// scalar is a query within an expression.
func (g *grammar) scalar(outer []source, _, value string) string {
	if g.depth > 2 {
		return g.column(outer, map[bool]byte{true: 't', false: 'i'}[strings.Contains(value, "%s")])
	}
	g.depth++
	defer func() { g.depth-- }()
	from, sources := g.from(outer)
	if strings.Contains(value, "%s") {
		value = fmt.Sprintf(value, g.column(sources, 't'))
	}
	return "(SELECT " + value + from + g.where(append(slices.Clone(outer), sources...)) + ")"
}

func (g *grammar) condition(s []source) string {
	if g.depth > 3 {
		return g.column(s, 'i') + " > 1"
	}
	g.depth++
	defer func() { g.depth-- }()
	return g.pick(
		func() string { return g.column(s, 'i') + " < " + fmt.Sprint(g.rand.IntN(20)) },
		func() string { return g.column(s, 'i') + " = " + g.column(s, 'i') },
		func() string { return g.number(s) + " >= " + g.column(s, 'i') },
		func() string { return g.text(s) + " <> " + g.column(s, 't') },
		func() string { return g.text(s) + " LIKE '%1%'" },
		func() string { return g.column(s, 't') + " IS NOT NULL" },
		func() string { return "(" + g.condition(s) + " OR " + g.condition(s) + ")" },
		func() string {
			from, sources := g.from(s)
			return "EXISTS (SELECT 1" + from + g.where(append(slices.Clone(s), sources...)) + ")"
		},
		func() string {
			from, sources := g.from(nil)
			return g.column(s, 'i') + " IN (SELECT " + g.column(sources, 'i') + from + ")"
		},
		func() string { return "app.alike(" + g.column(s, 't') + ", 'x')" },
		func() string { return g.column(s, 't') + " ~=~ 'x'::text" },
		func() string { return "NOT " + g.condition(s) },
		func() string { return "EXISTS (SELECT FROM grades WHERE grade = " + g.text(s) + ")" },
		func() string { return "(" + g.number(s) + ", " + g.text(s) + ") IN (" + g.query(s, 2) + ")" },
	)
}

func (g *grammar) where(s []source) string {
	if g.chance(50) {
		return ""
	}
	return " WHERE " + g.condition(s)
}

// query makes a SELECT; width 2 makes it an int and a text.
func (g *grammar) query(outer []source, width int) string {
	from, sources := g.from(outer)
	all := append(slices.Clone(outer), sources...)
	if width == 0 && g.chance(12) {
		return "SELECT " + g.pick(
			func() string { return "*" },
			func() string { return sources[0].alias + ".*" },
			func() string { return sources[0].alias },
			func() string { return "to_json(" + sources[0].alias + ")" },
			func() string { return "count(" + sources[0].alias + "), max(" + g.text(all) + ")" },
			func() string {
				return "string_agg(" + g.text(all) + ", ',' ORDER BY " + g.column(sources, 'i') + ")"
			},
		) + from + g.where(all)
	}
	list := []string{g.number(all), g.text(all)}
	if width == 0 {
		for range g.rand.IntN(3) {
			list = append(list, g.pick(
				func() string { return g.text(all) },
				func() string { return g.column(all, 't') + " AS n" + fmt.Sprint(g.rand.IntN(9)) },
				func() string { return g.number(all) },
				func() string {
					return "max(" + g.column(sources, 't') + ") OVER (PARTITION BY " + g.column(sources, 'i') + ")"
				},
				func() string { return "ARRAY(SELECT v FROM bare)" },
			))
		}
		g.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	query := "SELECT " + strings.Join(list, ", ") + from + g.where(all)
	if width == 0 {
		return query + g.pick(
			func() string { return "" },
			func() string { return "" },
			func() string { return " ORDER BY 1" },
			func() string { return " ORDER BY " + g.text(all) },
			func() string { return " LIMIT 5" },
		)
	}
	if g.chance(20) && g.depth < 3 {
		g.depth++
		query += []string{" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT "}[g.rand.IntN(4)] + g.query(outer, 2)
		g.depth--
	}
	return query
}

// value is one for a column of a kind: a key or a text that mostly breaks nothing.
func (g *grammar) value(kind byte) string {
	if kind == 'i' {
		return fmt.Sprint(1 + g.rand.IntN(8))
	}
	return fmt.Sprintf("'new_%d'", g.rand.IntN(1000))
}

func (g *grammar) insert() string {
	r := g.writable()
	text := g.insertInto(r)
	if g.chance(20) {
		text += " ON CONFLICT DO NOTHING"
	}
	if g.chance(40) {
		alias := source{r.name, r}
		if i := strings.LastIndexByte(r.name, '.'); i >= 0 {
			alias.alias = r.name[i+1:]
		}
		text += " RETURNING " + g.text([]source{alias})
	}
	return text
}

func (g *grammar) insertInto(r relation) string {
	values := make([]string, len(r.columns))
	if g.chance(40) {
		from, sources := g.from(nil)
		for i := range r.columns {
			values[i] = map[byte]func([]source) string{'i': g.number, 't': g.text}[r.kinds[i]](sources)
		}
		return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s%s%s", r.name, strings.Join(r.columns, ", "), strings.Join(values, ", "), from, g.where(sources))
	}
	for i := range r.columns {
		values[i] = g.value(r.kinds[i])
	}
	if r.name == "customers" || r.name == "orders" {
		values[0] = fmt.Sprint(100 + g.rand.IntN(1000))
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", r.name, strings.Join(r.columns, ", "), strings.Join(values, ", "))
}

func (g *grammar) set(r relation, s []source) string {
	i := g.rand.IntN(len(r.columns))
	value := g.value(r.kinds[i])
	if g.chance(40) {
		value = map[byte]func([]source) string{'i': g.number, 't': g.text}[r.kinds[i]](s)
	}
	return r.columns[i] + " = " + value
}

func (g *grammar) update() string {
	r := g.writable()
	text := g.updateOf(r)
	if g.chance(30) {
		text += " RETURNING *"
	}
	return text
}

func (g *grammar) updateOf(r relation) string {
	target := source{g.fresh(), r}
	text := "UPDATE " + r.name + " " + target.alias + " SET " + g.set(r, []source{target})
	sources := []source{target}
	if g.chance(30) {
		from, more := g.from(nil)
		text, sources = text+from, append(sources, more...)
	}
	return text + g.where(sources)
}

func (g *grammar) delete() string { return g.deleteOf(g.writable()) }

func (g *grammar) deleteOf(r relation) string {
	target := source{g.fresh(), r}
	text := "DELETE FROM " + r.name + " " + target.alias
	sources := []source{target}
	if g.chance(30) {
		from, more := g.from(nil)
		text, sources = text+" USING "+strings.TrimPrefix(from, " FROM "), append(sources, more...)
	}
	return text + g.where(sources)
}

// merge goes to tables: PostgreSQL 15 merges into no view.
func (g *grammar) merge() string {
	r := g.writable()
	for strings.HasPrefix(r.name, "v_") || r.name == "ruled" {
		r = g.writable()
	}
	target := source{g.fresh(), r}
	from, sources := g.from(nil)
	for len(sources) > 1 || strings.Contains(from, "LATERAL") {
		from, sources = g.from(nil)
	}
	both := append([]source{target}, sources...)
	text := fmt.Sprintf("MERGE INTO %s %s USING %s ON %s = %s", r.name, target.alias, strings.TrimPrefix(from, " FROM "), g.column(both[:1], 'i'), g.column(sources, 'i'))
	text += g.pick(
		func() string { return " WHEN MATCHED THEN UPDATE SET " + g.set(r, both) },
		func() string { return " WHEN MATCHED AND " + g.condition(both) + " THEN DELETE" },
		func() string { return " WHEN MATCHED THEN DO NOTHING" },
	)
	if g.chance(50) {
		values := make([]string, len(r.columns))
		for i := range r.columns {
			values[i] = g.value(r.kinds[i])
		}
		text += fmt.Sprintf(" WHEN NOT MATCHED THEN INSERT (%s) VALUES (%s)", strings.Join(r.columns, ", "), strings.Join(values, ", "))
	}
	return text
}
