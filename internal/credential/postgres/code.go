package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// dropCode is the statements that drop what the role wrote to be run: routines, views
// and rules. They must not become the administrator's as its tables do: a function
// SECURITY DEFINER, a view, a rule and the expression of an index run with the rights
// of their owner, the last of these whenever autovacuum analyses the table. CASCADE,
// since an index, trigger or default that calls a routine is of the same kind; what
// an extension brought is the server's own.
func (s *session) dropCode(ctx context.Context, conn *pgx.Conn, role, oid string) ([]string, error) {
	return s.column(ctx, conn, "look for code of role "+role, codeQuery, oid)
}

const codeQuery = `SELECT 'DROP ROUTINE IF EXISTS ' || p.oid::regprocedure::text || ' CASCADE' FROM pg_proc p
		WHERE p.proowner = $1::text::oid AND NOT EXISTS (SELECT FROM pg_depend d
			WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
	UNION ALL SELECT 'DROP ' || CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END || 'VIEW IF EXISTS ' || c.oid::regclass::text || ' CASCADE'
		FROM pg_class c WHERE c.relowner = $1::text::oid AND c.relkind IN ('v', 'm') AND NOT EXISTS (SELECT FROM pg_depend d
			WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
	UNION ALL SELECT 'DROP RULE IF EXISTS ' || quote_ident(r.rulename) || ' ON ' || c.oid::regclass::text || ' CASCADE'
		FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
		WHERE c.relowner = $1::text::oid AND c.relkind NOT IN ('v', 'm')`
