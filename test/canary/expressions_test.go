package canary

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// grammar makes statements.
type grammar struct {
	*rand.Rand
	aliases int
	// clear keeps masked columns out of where rows are chosen: what inference Refused
	// would refuse.
	clear bool
}

// source is what stands in FROM, by its alias.
type source struct {
	alias   string
	columns []column
}

func pick[T any](g *grammar, list []T) T { return list[g.IntN(len(list))] }

func (g *grammar) one(in int) bool { return g.IntN(in) == 0 }

// fill replaces each % of a pattern by what its letter says: %t text, %n number,
// %b truth, %* anything, %k a small number.
func (g *grammar) fill(pattern string, from []source, depth int) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' || i+1 == len(pattern) {
			b.WriteByte(pattern[i])
			continue
		}
		i++
		switch c := pattern[i]; c {
		case 'k':
			fmt.Fprint(&b, 1+g.IntN(12))
		case '*':
			b.WriteString(g.any(from, depth-1))
		case '%':
			b.WriteByte('%')
		case 'w':
			b.WriteString(g.row(from))
		case 'q':
			b.WriteString(g.scalar(text, from, depth-1))
		default:
			b.WriteString(g.expression(kind(c), from, depth-1))
		}
	}
	return b.String()
}

// patterns make an expression of a kind.
var patterns = map[kind][]string{
	text: {
		"lower(%t)", "upper(%t)", "initcap(%t)", "reverse(%t)", "substr(%t, %k, 12)", "substring(%t from %k for 20)", "left(%t, 20)", "right(%t, 14)",
		"md5(%t)", "encode(convert_to(%t, 'UTF8'), 'hex')", "encode(convert_to(%t, 'UTF8'), 'base64')", "encode(%y, 'hex')", "encode(%y, 'base64')",
		"encode(sha256(%y), 'hex')", "replace(%t, 'zz', 'y')", "regexp_replace(%t, '(.)(.)', '\\1\\2', 'g')", "regexp_substr(%t, '.{9}')", "split_part(%t, '@', 1)",
		"(regexp_match(%t, '(.{8,})'))[1]", "format('%%s-%%s', %*, %*)", "format('%%L', %t)", "concat(%*, '-', %*)", "concat_ws('/', %*, %*)", "%t || %t", "%t || '.'",
		"to_jsonb(%*)::text", "row_to_json(%w)::text", "to_json(%w)::text", "json_build_object('k', %*)::text", "jsonb_build_array(%*, %*)::text", "jsonb_pretty(%j)",
		"array_to_string(%a, '+')", "coalesce(%t, %t)", "coalesce(NULL, %t)", "CASE WHEN %b THEN %t ELSE %t END", "CASE %t WHEN 'x' THEN 'y' ELSE %t END", "nullif(%t, 'x')",
		"greatest(%t, %t)", "least(%t, %t)", "quote_literal(%t)", "quote_ident(%t)", "quote_nullable(%t)", "translate(%t, 'ab', 'ba')", "lpad(%t, 30, '-')", "rpad(%t, 90)",
		"repeat(%t, 2)", "overlay(%t placing 'X' from 2)", "btrim(%t)", "ltrim(%t, 'x')", "to_char(%n, '9999999999999999')", "to_char(%d, 'YYYY-MM-DD')", "to_char(%s, 'YYYY-MM-DD HH24')",
		"xmlelement(name x, %t)::text", "xmlforest(%t AS a, %* AS b)::text", "xmlserialize(CONTENT %x AS text)", "(xpath('//text()', %x))[1]::text", "xmlconcat(%x, %x)::text",
		"to_hex((%n)::bigint)", "%w::text", "to_tsvector('simple', %t)::text", "chr(ascii(%t))", "%j ->> 'secret'", "%j #>> '{k,deep,0}'", "jsonb_path_query_first(%j, '$.secret')::text",
		"(%a)[1]", "(%c).street", "host(%i)", "text(%i)", "lower(%r)::text", "convert_from(convert_to(%t, 'LATIN1'), 'LATIN1')", "%u::text", "%y::text", "%x::text", "%*::text", "%*::varchar(40)",
		"(%*)::text COLLATE \"C\"", "array_to_string(string_to_array(%t, NULL), '')", "string_to_array(%t, '@')::text", "unistr(%t)", "hashtext(%t)::text", "pg_typeof(%t)::text", "%q",
		"(SELECT string_agg(x, '' ORDER BY n) FROM unnest(string_to_array(%t, NULL)) WITH ORDINALITY AS u(x, n))", "quote_literal(%*)", "normalize(%t)", "starts_with(%t, 'a')::text",
		"(ARRAY[%t, %t])[1]", "(ROW(%t, %t))::text", "substring(%t similar '%%#\"________#\"%%' escape '#')", "json_object(ARRAY['k', %t])::text", "ts_headline('simple', %t, 'x'::tsquery)",
		"encode(decode(md5(%t), 'hex'), 'base64')", "trim(both ' ' from %t)", "jsonb_set(%j, '{a}', to_jsonb(%t))::text", "(%t, %t)::text", "inet_merge(%i, %i)::text", "abbrev(%i)", "set_masklen(%i, 100)::text",
	},
	number: {
		"%n + 1", "%n * 2", "- %n", "abs(%n)", "%n / 2", "mod((%n)::numeric, 1000000)", "(%n)::bigint", "(%n)::numeric", "(%n)::float8", "round((%n)::numeric, 2)", "length(%t)", "octet_length(%t)",
		"position('a' in %t)", "hashtext(%t)", "width_bucket(%n, 0, 9000000000000, 10)", "coalesce(%n, %n)", "CASE WHEN %b THEN %n ELSE %n END", "nullif(%n, 3)", "greatest(%n, %n)",
		"(%m)[1]", "(%c).zip", "lower(%r)", "upper(%r) - 1", "extract(epoch from %s)", "extract(year from %d)", "%n # 0", "(%n)::bigint | 0", "(%j -> 'n')::numeric", "strpos(%t, 'x')", "array_length(%a, 1)",
		"(SELECT count(*) FROM person p9 WHERE p9.id < %k)", "cardinality(%m)", "bit_length(%t)", "ascii(%t)", "%k", "(SELECT %n)", "factorial(3) + %n", "trunc((%n)::numeric)", "gcd((%n)::bigint, 0)",
	},
	truth: {
		"%n > %k", "%n = %n", "%t = 'x'", "%t LIKE 'a%%'", "%t ~ '^a'", "%t IS NULL", "%t IS NOT NULL", "%b AND %b", "%b OR %b", "NOT %b", "%n BETWEEN %k AND 7777500000000", "%t < %t", "%t IN ('a', %t)",
		"EXISTS (SELECT 1 FROM person p8 WHERE p8.id = %n)", "%n = ANY (%m)", "%j ? 'secret'", "%j @> '{\"n\": 1}'", "%t IS DISTINCT FROM %t", "%u IS NULL", "%i << '2001::/16'", "%r @> 7777500000000",
	},
	document: {"to_jsonb(%*)", "jsonb_build_object('a', %*, 'b', %*)", "to_jsonb(%w)", "%j -> 'k'", "%j - 'n'", "%j || '{}'", "jsonb_strip_nulls(%j)", "coalesce(%j, '{}')", "jsonb_set(%j, '{n}', to_jsonb(%n))"},
	texts:    {"ARRAY[%t, %t]", "%a || %t", "array_append(%a, %t)", "string_to_array(%t, '@')", "array_remove(%a, 'x')", "regexp_split_to_array(%t, '@')", "ARRAY(SELECT email FROM person WHERE id < %k)::text[]", "(%a)[1:1]"},
	numbers:  {"ARRAY[(%n)::bigint, 1]", "%m || 1::bigint", "(%m)[1:2]"},
	blob:     {"convert_to(%t, 'UTF8')", "%y || '\\x00'", "sha256(%y)", "substr(%y, 2, 20)", "overlay(%y placing '\\x01' from 1)", "set_byte(%y, 0, 1)"},
	uuid:     {"coalesce(%u, %u)", "%u::text::uuid"},
	day:      {"%d + 0", "coalesce(%d, %d)", "(%s)::date"},
	moment:   {"%s + interval '0'", "date_trunc('second', %s)", "(%d)::timestamp", "%s AT TIME ZONE 'UTC'"},
	network:  {"%i + 0", "coalesce(%i, %i)", "network(%i)"},
	markup:   {"xmlelement(name e, %t)", "xmlparse(CONTENT %t)", "xmlconcat(%x, %x)", "xmlcomment(%t)"},
	home:     {"coalesce(%c, %c)", "ROW(%t, (%n)::bigint)::address"},
	span:     {"%r * %r", "coalesce(%r, %r)"},
}

// literals stand where nothing of a kind is in scope.
var literals = map[kind]string{
	text: "'lit'", number: "7", truth: "true", document: "'{}'::jsonb", texts: "'{}'::text[]", numbers: "'{1}'::bigint[]", blob: "'\\x00'::bytea", uuid: "NULL::uuid",
	day: "'2026-01-01'::date", moment: "'2026-01-01'::timestamp", network: "'10.0.0.1'::inet", markup: "'<a/>'::xml", home: "ROW('s', 1)::address", span: "'[1,2)'::int8range",
}

// expression of a kind.
func (g *grammar) expression(k kind, from []source, depth int) string {
	if depth > 0 && len(patterns[k]) > 0 && !g.one(3) {
		return "(" + g.fill(pick(g, patterns[k]), from, depth) + ")"
	}
	var fit []string
	for _, s := range from {
		for _, c := range s.columns {
			if c.kind == k {
				fit = append(fit, s.alias+"."+c.name)
			}
		}
	}
	if len(fit) == 0 || g.one(12) {
		return literals[k]
	}
	return pick(g, fit)
}

var kinds = []kind{text, text, text, text, number, number, truth, uuid, day, moment, document, texts, numbers, blob, network, markup, home, span}

func (g *grammar) any(from []source, depth int) string {
	return g.expression(pick(g, kinds), from, depth)
}

// row is a whole row.
func (g *grammar) row(from []source) string {
	if len(from) == 0 {
		return "ROW(1, 'x')"
	}
	return pick(g, from).alias
}

// scalar is a subquery for one value.
func (g *grammar) scalar(k kind, from []source, depth int) string {
	sources, clause := g.from(1, depth)
	value := g.expression(k, append(sources, from...), depth)
	return "(SELECT " + value + " FROM " + clause + " ORDER BY 1 LIMIT 1)"
}

// aggregates of anything.
var aggregates = []string{
	"count(*)", "min(%t)", "max(%t)", "min(%n)", "max(%n)", "sum(%n)", "avg(%n)", "string_agg(%t, ',')", "array_agg(%t)", "array_agg(%*)", "json_agg(%w)", "jsonb_agg(%*)", "json_object_agg(%k, %*)",
	"bool_and(%b)", "count(DISTINCT %t)", "xmlagg(%x)", "string_agg(DISTINCT %t, ',')", "bit_or((%n)::bigint)", "mode() WITHIN GROUP (ORDER BY %t)", "percentile_disc(0.5) WITHIN GROUP (ORDER BY %n)",
	"max(%t) FILTER (WHERE %b)", "range_agg(%r)", "string_agg(%y, '')", "stddev(%n)", "every(%b)", "array_agg(%w)", "jsonb_object_agg(%t, %*)",
}

// windows of anything.
var windows = []string{
	"row_number() OVER (ORDER BY %o)", "lag(%t) OVER (ORDER BY %o)", "first_value(%t) OVER (PARTITION BY %o ORDER BY %o)", "max(%t) OVER ()", "array_agg(%t) OVER (ORDER BY %o ROWS 1 PRECEDING)",
	"nth_value(%n, 2) OVER ()", "sum(%n) OVER (ORDER BY %o)", "lead(%t, 1, %t) OVER (ORDER BY %o)", "rank() OVER (ORDER BY %o)", "last_value(%*) OVER (ORDER BY %o)",
}
