package catalog

import "strings"

// query is one question to the target, and what becomes of a row of its answer.
type query struct {
	name, text    string
	fields, limit int
	take          func(*loader, fields) error
}

// qualified writes the operators of a query, == and >=, as those of pg_catalog. With all
// other names qualified too, nothing that a session's search_path finds first can stand
// in for what a query uses (CVE-2018-1058).
func qualified(text string) string {
	return strings.NewReplacer(" == ", " OPERATOR(pg_catalog.=) ", " >= ", " OPERATOR(pg_catalog.>=) ").Replace(text)
}

// firstUser is the first OID that initdb does not give (FirstNormalObjectId).
const firstUser = `'16384'::pg_catalog.oid`

// limited is one row more than may come.
func limited(text, order string, limit string) string {
	return qualified(text) + " ORDER BY " + order + " LIMIT " + limit
}

// Relations of other sessions' temporary schemas are left out.
const relationKinds = `c.relkind == ANY (ARRAY['r','p','v','m','f','S','c']::pg_catalog."char"[])
	AND (NOT c.relpersistence == 't' OR c.relnamespace == pg_catalog.pg_my_temp_schema())`

// userSchema leaves PostgreSQL's own out.
const userSchema = `NOT n.nspname == ANY (ARRAY['pg_catalog','information_schema']::pg_catalog.name[])`

var queries = []query{
	{"the session", qualified(`SELECT CURRENT_USER, (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid == pg_catalog.pg_my_temp_schema())`),
		2, 1, (*loader).session},
	{"relations", limited(`SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence == 't', c.relrowsecurity
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid == c.relnamespace WHERE `+relationKinds, "c.oid", "50001"),
		6, maxRelations, (*loader).relation},
	{"columns", limited(`SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.attgenerated
	FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid == a.attrelid
	WHERE a.attnum >= 1::pg_catalog.int2 AND NOT a.attisdropped AND `+relationKinds, "a.attrelid, a.attnum", "400001"),
		5, maxColumns, (*loader).column},
	{"inheritance", limited(`SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i`, "i.inhparent, i.inhrelid", "200001"),
		2, maxOthers, (*loader).inherits},
	{"constraints", limited(`SELECT c.oid, c.contype, c.conrelid, c.contypid, c.confrelid, c.confdeltype, c.confupdtype FROM pg_catalog.pg_constraint c`, "c.oid", "200001"),
		7, maxOthers, (*loader).constraint},
	{"functions", limited(`SELECT p.oid, n.nspname, p.proname, p.pronargs, p.pronargdefaults, p.provariadic >= '1'::pg_catalog.oid,
	l.lanname, p.provolatile, p.prosecdef, p.prokind, CASE WHEN l.lanname == 'plpgsql' THEN pg_catalog.pg_get_functiondef(p.oid) ELSE p.prosrc END, pg_catalog.pg_get_function_sqlbody(p.oid),
	pg_catalog.array_to_json(p.proconfig), pg_catalog.pg_get_userbyid(p.proowner), pg_catalog.array_to_json(p.proargnames),
	EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid == 'pg_catalog.pg_proc'::pg_catalog.regclass
		AND d.objid == p.oid AND d.deptype == 'e')
	FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid == p.pronamespace
	JOIN pg_catalog.pg_language l ON l.oid == p.prolang WHERE `+userSchema, "p.oid", "20001"),
		16, maxFunctions, (*loader).function},
	{"aggregates", limited(`SELECT a.aggfnoid::pg_catalog.oid, pg_catalog.concat_ws(' ', a.aggtransfn::pg_catalog.oid, a.aggfinalfn::pg_catalog.oid,
	a.aggcombinefn::pg_catalog.oid, a.aggserialfn::pg_catalog.oid, a.aggdeserialfn::pg_catalog.oid, a.aggmtransfn::pg_catalog.oid,
	a.aggminvtransfn::pg_catalog.oid, a.aggmfinalfn::pg_catalog.oid)
	FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid::pg_catalog.oid >= `+firstUser, "1", "20001"),
		2, maxFunctions, (*loader).aggregate},
	{"operators", limited(`SELECT o.oid, n.nspname, o.oprname, o.oprcode::pg_catalog.oid
	FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid == o.oprnamespace WHERE o.oid >= `+firstUser, "o.oid", "20001"),
		4, maxFunctions, (*loader).operator},
	{"triggers", limited(`SELECT t.oid, t.tgrelid, t.tgname, t.tgfoid, t.tgtype, t.tgenabled FROM pg_catalog.pg_trigger t
	WHERE NOT t.tgisinternal OR NOT t.tgparentid == '0'::pg_catalog.oid`, "t.oid", "200001"),
		6, maxOthers, (*loader).trigger},
	{"views and rules", limited(`SELECT r.oid, r.ev_class, r.rulename, r.ev_type, r.is_instead,
	CASE WHEN r.rulename == '_RETURN' THEN pg_catalog.pg_get_viewdef(r.ev_class) ELSE pg_catalog.pg_get_ruledef(r.oid) END
	FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid == r.ev_class
	JOIN pg_catalog.pg_namespace n ON n.oid == c.relnamespace
	WHERE NOT r.ev_enabled == 'D' AND `+userSchema+` AND `+relationKinds, "r.oid", "50001"),
		6, maxRelations, (*loader).rule},
	{"defaults", limited(`SELECT d.oid, d.adrelid, d.adnum FROM pg_catalog.pg_attrdef d`, "d.oid", "200001"), 3, maxOthers, (*loader).attributeDefault},
	{"policies", limited(`SELECT p.oid, p.polrelid FROM pg_catalog.pg_policy p`, "p.oid", "200001"), 2, maxOthers, (*loader).policy},
	{"indexes", limited(`SELECT i.indexrelid, i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid >= `+firstUser, "1", "200001"), 2, maxOthers, (*loader).index},
	{"domains", limited(`SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typtype == 'd' AND t.oid >= `+firstUser, "1", "200001"), 1, maxOthers, (*loader).domain},
	// Functions, operators and relations that what belongs to a relation depends on. There
	// is no join in it, since nothing says that the target has ever analysed its catalogs.
	{"dependencies", limited(`SELECT d.classid, d.objid, d.refclassid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d
	WHERE d.refobjid >= `+firstUser+` AND (d.refclassid == ANY (ARRAY['pg_catalog.pg_proc','pg_catalog.pg_operator']::pg_catalog.regclass[])
	OR d.refclassid == 'pg_catalog.pg_class'::pg_catalog.regclass
	AND d.classid == ANY (ARRAY['pg_catalog.pg_policy','pg_catalog.pg_rewrite','pg_catalog.pg_attrdef']::pg_catalog.regclass[]))`, "1, 2, 3, 4, 5", "400001"),
		5, 2 * maxOthers, (*loader).dependency},
	{"identity columns", limited(`SELECT d.refobjid, d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid == d.objid
	WHERE c.relkind == 'S' AND d.deptype == 'i' AND d.classid == 'pg_catalog.pg_class'::pg_catalog.regclass
	AND d.refclassid == 'pg_catalog.pg_class'::pg_catalog.regclass`, "1, 2", "200001"),
		2, maxOthers, (*loader).identity},
	{"casts", limited(`SELECT c.castfunc::pg_catalog.oid FROM pg_catalog.pg_cast c WHERE c.castfunc::pg_catalog.oid >= `+firstUser+`
	UNION SELECT r.rngsubdiff::pg_catalog.oid FROM pg_catalog.pg_range r WHERE r.rngsubdiff::pg_catalog.oid >= `+firstUser, "1", "20001"),
		1, maxFunctions, (*loader).coercion},
	{"event triggers", limited(`SELECT e.evtfoid FROM pg_catalog.pg_event_trigger e WHERE NOT e.evtenabled == 'D'`, "1", "20001"),
		1, maxFunctions, (*loader).eventTrigger},
}
