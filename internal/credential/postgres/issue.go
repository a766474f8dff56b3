package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Issue makes the task's role, or brings it to the state that the request asks
// for, in one transaction.
func (i *Issuer) Issue(ctx context.Context, target credential.Target, request credential.Request) (v1alpha1.IssuedCredential, error) {
	none := v1alpha1.IssuedCredential{}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	role, err := i.check(target, request)
	if err != nil {
		return none, err
	}
	s, err := i.open(ctx, target)
	if err != nil {
		return none, err
	}
	defer s.close()
	if err := s.lock(ctx, lockKey(role)); err != nil {
		return none, err
	}
	err = s.in(ctx, request.Grant.Postgres.Database, func(conn *pgx.Conn) error {
		return s.withPrivileges(ctx, func() error {
			return s.transaction(ctx, conn, func() error { return s.issue(ctx, conn, role, request) })
		})
	})
	if err != nil {
		return none, err
	}
	until := metav1.NewTime(request.ValidUntil)
	return v1alpha1.IssuedCredential{
		Type: v1alpha1.CredentialEphemeralRole, Name: role, Generation: request.Generation, ValidUntil: &until,
	}, nil
}

func (i *Issuer) check(target credential.Target, request credential.Request) (role string, err error) {
	grant := request.Grant.Postgres
	switch {
	case target.Spec.Postgres == nil:
		return "", fmt.Errorf("%w: AccessTarget %s is not a PostgreSQL server", credential.ErrUnsupported, target.Name)
	case grant == nil:
		return "", fmt.Errorf("%w: it says nothing of postgres", credential.ErrGrant)
	case request.ValidUntil.IsZero():
		return "", errors.New("a credential needs an end")
	case request.MaxConnections < 1:
		return "", errors.New("a credential needs at least one connection")
	case !slices.Contains(target.Spec.Postgres.Databases, grant.Database):
		return "", fmt.Errorf("%w: AccessTarget %s does not offer database %s", credential.ErrGrant, target.Name, quoteName(grant.Database))
	}
	return i.RoleName(request.UID)
}

// issue is Issue's transaction, in the grant's database.
func (s *session) issue(ctx context.Context, conn *pgx.Conn, role string, request credential.Request) error {
	plan, err := s.plan(ctx, conn, request.Grant.Postgres)
	if err != nil {
		return err
	}
	exists, err := s.trusted(ctx, conn, role)
	if err != nil {
		return err
	}
	verifier, err := s.issuer.verifier(request.UID, request.Generation)
	if err != nil {
		return err
	}
	quoted := identifier(role)
	var statements []string
	if exists {
		stale, err := s.stale(ctx, conn, role)
		if err != nil {
			return err
		}
		statements = append(stale, "ALTER ROLE "+quoted+" RESET ALL")
	} else {
		statements = append(statements, "CREATE ROLE "+quoted+" NOSUPERUSER NOREPLICATION NOBYPASSRLS NOCREATEDB NOCREATEROLE NOINHERIT")
	}
	statements = append(statements, fmt.Sprintf("ALTER ROLE %s LOGIN CONNECTION LIMIT %d VALID UNTIL '%s' PASSWORD '%s'",
		quoted, request.MaxConnections, request.ValidUntil.Add(s.ahead).UTC().Format(timestamp), verifier))
	statements = append(statements, "COMMENT ON ROLE "+quoted+" IS 'Sallyport: request "+strings.ToLower(request.UID)+"'")
	statements = append(statements, settings(quoted, plan.readOnly)...)
	for _, want := range plan.wants {
		statements = append(statements, want.grantTo(quoted))
	}
	if err := s.script(ctx, conn, "make role "+role, statements...); err != nil {
		return err
	}
	return s.effective(ctx, conn, role, plan)
}

const timestamp = "2006-01-02 15:04:05.999999-07:00"

// settings are what the role's sessions start with: names mean what the proxy and
// the reviewers take them to mean.
func settings(role string, readOnly bool) []string {
	values := map[string]string{
		"search_path":                   "public",
		"standard_conforming_strings":   "on",
		"row_security":                  "on",
		"default_transaction_read_only": "off",
	}
	if readOnly {
		values["default_transaction_read_only"] = "on"
	}
	var statements []string
	for key, value := range values {
		statements = append(statements, fmt.Sprintf("ALTER ROLE %s SET %s = %s", role, key, value))
	}
	return statements
}

// trusted says whether the role exists; one that can do what we never give was
// made, or changed, by somebody else.
func (s *session) trusted(ctx context.Context, conn *pgx.Conn, role string) (exists bool, err error) {
	var mighty bool
	err = conn.QueryRow(ctx, `SELECT rolsuper OR rolreplication OR rolbypassrls OR rolcreaterole OR rolcreatedb
		FROM pg_roles WHERE rolname = $1::text`, role).Scan(&mighty)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, scrub(s.target, "look for role "+role, err)
	case mighty:
		return true, fmt.Errorf("role %s exists with attributes that Sallyport never gives: drop it on the target", role)
	}
	return true, nil
}

// stale takes everything from an existing role: privileges that the catalog says it
// has in this database or on databases, memberships, settings. What the grant still
// names is given back in the same transaction.
func (s *session) stale(ctx context.Context, conn *pgx.Conn, role string) ([]string, error) {
	return s.column(ctx, conn, "look up what role "+role+" has", staleQuery, role)
}

// From PostgreSQL 16 on a membership is its grantor's, and only so revoked.
const staleQuery = `WITH role AS (SELECT oid, quote_ident(rolname) AS name FROM pg_roles WHERE rolname = $1::text),
	privileged AS (SELECT classid, objid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
		AND refobjid = (SELECT oid FROM role) AND deptype = 'a'
		AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))),
	objects(description) AS (
		SELECT 'TABLE ' || objid::regclass::text FROM privileged WHERE classid = 'pg_class'::regclass
		UNION SELECT 'SCHEMA ' || objid::regnamespace::text FROM privileged WHERE classid = 'pg_namespace'::regclass
		UNION SELECT 'ROUTINE ' || objid::regprocedure::text FROM privileged WHERE classid = 'pg_proc'::regclass
		UNION SELECT 'LARGE OBJECT ' || objid::text FROM privileged WHERE classid = 'pg_largeobject'::regclass
		UNION SELECT 'DATABASE ' || quote_ident(d.datname) FROM privileged
			JOIN pg_database d ON d.oid = objid WHERE classid = 'pg_database'::regclass)
	SELECT 'REVOKE ALL ON ' || description || ' FROM ' || role.name FROM objects, role
	UNION ALL SELECT 'REVOKE ' || quote_ident(g.rolname) || ' FROM ' || role.name
		|| CASE WHEN current_setting('server_version_num')::int >= 160000
			THEN ' GRANTED BY ' || quote_ident(pg_get_userbyid(m.grantor)) ELSE '' END
		FROM role JOIN pg_auth_members m ON m.member = role.oid JOIN pg_roles g ON g.oid = m.roleid
	UNION ALL SELECT 'ALTER ROLE ' || role.name || ' IN DATABASE ' || quote_ident(d.datname) || ' RESET ALL'
		FROM role JOIN pg_db_role_setting p ON p.setrole = role.oid JOIN pg_database d ON d.oid = p.setdatabase`

// effective asks the target whether the role has what it was given: an
// administrator without grant option gets a warning from GRANT, not an error.
func (s *session) effective(ctx context.Context, conn *pgx.Conn, role string, p *plan) error {
	var kinds, oids, wanted, labels []string
	for _, w := range p.wants {
		if w.kind != "DATABASE" {
			kinds, oids, wanted = append(kinds, w.kind), append(oids, w.oid), append(wanted, w.privilege)
			labels = append(labels, w.privilege+" on "+strings.ToLower(w.kind)+" "+w.object)
		}
	}
	lacking, err := s.column(ctx, conn, "check the privileges of role "+role, `SELECT w.label
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS w(kind, id, privilege, label)
		WHERE NOT CASE w.kind
			WHEN 'TABLE' THEN has_table_privilege($1::text, w.id::oid, w.privilege)
			WHEN 'SEQUENCE' THEN has_sequence_privilege($1::text, w.id::oid, w.privilege)
			WHEN 'ROUTINE' THEN has_function_privilege($1::text, w.id::oid, w.privilege)
			WHEN 'SCHEMA' THEN has_schema_privilege($1::text, w.id::oid, w.privilege) END
		UNION ALL SELECT 'CONNECT on database ' || quote_ident(current_database())
		WHERE NOT has_database_privilege($1::text, current_database(), 'CONNECT')`, role, kinds, oids, wanted, labels)
	if err != nil {
		return err
	}
	if len(lacking) > 0 {
		return fmt.Errorf("%w: it cannot give %s: give it those WITH GRANT OPTION",
			credential.ErrAdministrator, oneLine(strings.Join(lacking, ", "), 512))
	}
	return nil
}
