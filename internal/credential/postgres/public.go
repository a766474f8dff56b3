package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// maxPublicGrants bounds the report; the status holds 64.
const maxPublicGrants = 64

// publicGrants lists what PUBLIC, and so every task, may do in the databases that
// tasks are given: beyond USAGE of schemas, CONNECT, and calling functions that run
// with the caller's own rights.
func (s *session) publicGrants(ctx context.Context) ([]string, error) {
	var all []string
	for _, database := range s.target.Spec.Postgres.Databases {
		err := s.in(ctx, database, func(conn *pgx.Conn) error {
			found, err := s.column(ctx, conn, "look what everybody may do in database "+quoteName(database), publicQuery, maxPublicGrants)
			all = append(all, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for n := range all {
		all[n] = oneLine(all[n], 250)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if over := len(all) - maxPublicGrants; over > 0 {
		all = append(all[:maxPublicGrants-1], fmt.Sprintf("… and %d more", over+1))
	}
	return all, nil
}

// publicQuery lists privileges of grantee 0, which is PUBLIC; acldefault stands in
// for an ACL that nobody has touched.
const publicQuery = `WITH here AS (SELECT oid, datname, datdba, datacl FROM pg_database WHERE datname = current_database()),
	own_schemas AS (SELECT * FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema')
	SELECT privilege_type || ' ON DATABASE ' || quote_ident(datname)
		FROM here, aclexplode(coalesce(datacl, acldefault('d', datdba))) a WHERE a.grantee = 0 AND privilege_type <> 'CONNECT'
	UNION ALL SELECT privilege_type || ' ON SCHEMA ' || quote_ident(datname) || '.' || quote_ident(nspname)
		FROM here, own_schemas, aclexplode(nspacl) a WHERE a.grantee = 0 AND privilege_type <> 'USAGE'
	UNION ALL SELECT string_agg(privilege_type, ', ' ORDER BY privilege_type) || ' ON ' || quote_ident(datname) || '.' || c.oid::regclass::text
		FROM here, own_schemas n JOIN pg_class c ON c.relnamespace = n.oid, aclexplode(c.relacl) a
		WHERE a.grantee = 0 GROUP BY datname, c.oid
	UNION ALL SELECT privilege_type || ' (' || quote_ident(t.attname) || ') ON ' || quote_ident(datname) || '.' || c.oid::regclass::text
		FROM here, own_schemas n JOIN pg_class c ON c.relnamespace = n.oid
		JOIN pg_attribute t ON t.attrelid = c.oid AND NOT t.attisdropped, aclexplode(t.attacl) a WHERE a.grantee = 0
	UNION ALL SELECT 'EXECUTE ON FUNCTION ' || quote_ident(datname) || '.' || p.oid::regprocedure::text || ' (SECURITY DEFINER)'
		FROM here, own_schemas n JOIN pg_proc p ON p.pronamespace = n.oid, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
		WHERE a.grantee = 0 AND p.prosecdef
	ORDER BY 1 LIMIT $1::int + 1`
