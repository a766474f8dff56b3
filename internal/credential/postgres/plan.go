package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// plan is a grant found in the target's catalog: the privileges to give.
type plan struct {
	database string
	wants    []want
	// readOnly says that nothing of the grant can write.
	readOnly bool
}

// want is one privilege on one object.
type want struct {
	// kind as GRANT names it: DATABASE, SCHEMA, TABLE, SEQUENCE, ROUTINE.
	kind, privilege string
	// object is quoted, or as the server itself writes it; oid is for asking.
	object, oid string
}

// name is a schema and a name in it.
type name struct{ schema, local string }

func (n name) String() string { return n.schema + "." + n.local }

// plan looks everything in the grant up by its exact name; what is missing, or not
// a task's to have, is an error that names it.
func (s *session) plan(ctx context.Context, conn *pgx.Conn, grant *v1alpha1.PostgresGrant) (*plan, error) {
	if grant.Unrestricted {
		return nil, fmt.Errorf("%w: no role is made from an unrestricted grant: "+
			"give the target a credential Static, or name relations in the policy's grant", credential.ErrGrant)
	}
	p := &plan{database: grant.Database, readOnly: len(grant.Sequences) == 0 && len(grant.Functions) == 0}
	p.wants = append(p.wants, want{"DATABASE", "CONNECT", identifier(grant.Database), ""})

	relations := map[name][]v1alpha1.RelationPrivilege{}
	for _, relation := range grant.Relations {
		schema := relation.Schema
		if schema == "" {
			schema = "public"
		}
		key := name{schema, relation.Name}
		relations[key] = append(relations[key], relation.Privileges...)
	}
	sequences, functions := names(grant.Sequences), names(grant.Functions)
	if err := refuseSystemSchemas(slices.Collect(maps.Keys(relations)), sequences, functions); err != nil {
		return nil, err
	}

	var missing []string
	note := func(what string, asked []name, found map[name][]want) {
		for _, n := range asked {
			if len(found[n]) == 0 {
				missing = append(missing, what+" "+oneLine(n.String(), 128))
			}
		}
	}
	tables := slices.Collect(maps.Keys(relations))
	foundTables, err := s.find(ctx, conn, tables, relationsQuery)
	if err != nil {
		return nil, err
	}
	note("table or view", tables, foundTables)
	foundSequences, err := s.find(ctx, conn, sequences, sequencesQuery)
	if err != nil {
		return nil, err
	}
	note("sequence", sequences, foundSequences)
	foundRoutines, err := s.find(ctx, conn, functions, routinesQuery)
	if err != nil {
		return nil, err
	}
	note("function", functions, foundRoutines)
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("%w: database %s has no %s: correct the policy's grant",
			credential.ErrGrant, quoteName(grant.Database), strings.Join(missing, ", no "))
	}

	for n, found := range foundTables {
		for _, privilege := range relations[n] {
			if !slices.Contains(privileges, privilege) {
				return nil, fmt.Errorf("%w: unknown privilege %q", credential.ErrGrant, privilege)
			}
			p.readOnly = p.readOnly && privilege == v1alpha1.PrivilegeSelect
			p.add(found[0], string(privilege))
		}
	}
	for _, found := range foundSequences {
		p.add(found[0], "USAGE")
	}
	for _, overloads := range foundRoutines {
		for _, routine := range overloads {
			p.add(routine, "EXECUTE")
		}
	}
	if err := s.addSchemas(ctx, conn, p, slices.Concat(tables, sequences, functions)); err != nil {
		return nil, err
	}
	slices.SortFunc(p.wants, func(a, b want) int { return strings.Compare(a.grantTo(""), b.grantTo("")) })
	return p, nil
}

var privileges = []v1alpha1.RelationPrivilege{
	v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert, v1alpha1.PrivilegeUpdate, v1alpha1.PrivilegeDelete,
}

func (p *plan) add(found want, privilege string) {
	found.privilege = privilege
	p.wants = append(p.wants, found)
}

func (w want) grantTo(role string) string {
	return fmt.Sprintf("GRANT %s ON %s %s TO %s", w.privilege, w.kind, w.object, role)
}

// Each query takes schemas and names, and yields schema, name, kind, the object as
// the server quotes it under our search_path, and its OID.
const (
	relationsQuery = `SELECT n.nspname, c.relname, 'TABLE', c.oid::regclass::text, c.oid::text
		FROM unnest($1::text[], $2::text[]) AS w(schema, local)
		JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.local
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')`
	sequencesQuery = `SELECT n.nspname, c.relname, 'SEQUENCE', c.oid::regclass::text, c.oid::text
		FROM unnest($1::text[], $2::text[]) AS w(schema, local)
		JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.local
		WHERE c.relkind = 'S'`
	routinesQuery = `SELECT n.nspname, p.proname, 'ROUTINE', p.oid::regprocedure::text, p.oid::text
		FROM unnest($1::text[], $2::text[]) AS w(schema, local)
		JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = w.local`
)

func (s *session) find(ctx context.Context, conn *pgx.Conn, asked []name, query string) (map[name][]want, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	const doing = "look up what the grant names"
	var schemas, locals []string
	for _, n := range asked {
		schemas, locals = append(schemas, n.schema), append(locals, n.local)
	}
	rows, err := conn.Query(ctx, query, schemas, locals)
	if err != nil {
		return nil, scrub(s.target, doing, err)
	}
	found := map[name][]want{}
	var n name
	var w want
	_, err = pgx.ForEachRow(rows, []any{&n.schema, &n.local, &w.kind, &w.object, &w.oid}, func() error {
		found[n] = append(found[n], w)
		return nil
	})
	return found, scrub(s.target, doing, err)
}

func (s *session) addSchemas(ctx context.Context, conn *pgx.Conn, p *plan, objects []name) error {
	const doing = "look up the grant's schemas"
	var schemas []string
	for _, n := range objects {
		schemas = append(schemas, n.schema)
	}
	rows, err := conn.Query(ctx, `SELECT quote_ident(nspname), oid::text FROM pg_namespace WHERE nspname = ANY ($1::text[])`, schemas)
	if err != nil {
		return scrub(s.target, doing, err)
	}
	w := want{kind: "SCHEMA", privilege: "USAGE"}
	_, err = pgx.ForEachRow(rows, []any{&w.object, &w.oid}, func() error {
		p.wants = append(p.wants, w)
		return nil
	})
	return scrub(s.target, doing, err)
}

// refuseSystemSchemas keeps catalogs out of grants: pg_authid holds verifiers, and
// a function of pg_catalog reads the server's files.
func refuseSystemSchemas(groups ...[]name) error {
	for _, n := range slices.Concat(groups...) {
		if strings.HasPrefix(n.schema, "pg_") || n.schema == "information_schema" {
			return fmt.Errorf("%w: %s is in a system schema, which no grant gives", credential.ErrGrant, oneLine(n.String(), 128))
		}
	}
	return nil
}

// names splits "schema.name"; the API's schema lets exactly one dot through.
func names(qualified []string) []name {
	var split []name
	for _, q := range qualified {
		schema, local, _ := strings.Cut(q, ".")
		split = append(split, name{schema, local})
	}
	return split
}
