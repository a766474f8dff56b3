package postgres

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/internal/credential"
)

// Verify asks the target what is left of the role. It waits for an Issue or Revoke
// under way, so that "absent" cannot be overtaken by a commit.
func (i *Issuer) Verify(ctx context.Context, target credential.Target, request credential.Request) (credential.Evidence, error) {
	none := credential.Evidence{}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	role, err := i.RoleName(request.UID)
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
	left, err := s.leftovers(ctx, role)
	if err != nil {
		return none, err
	}
	return credential.Evidence{Absent: left.none(), Message: left.message(role), CheckedAt: i.Now()}, nil
}

// leftovers is what the catalogs show. A session or prepared transaction of a role
// that no longer exists has no name: it cannot be told from the task's, so it counts.
type leftovers struct {
	roles, memberships, dependencies int
	sessions, prepared               int
	databases, closed                int
}

func (s *session) leftovers(ctx context.Context, role string) (leftovers, error) {
	var l leftovers
	err := s.home.QueryRow(ctx, `WITH role AS (SELECT oid FROM pg_roles WHERE rolname = $1::text)
		SELECT (SELECT count(*) FROM role),
			(SELECT count(*) FROM pg_auth_members m JOIN role ON role.oid IN (m.roleid, m.member)),
			(SELECT count(*) FROM pg_shdepend d JOIN role ON d.refobjid = role.oid AND d.refclassid = 'pg_authid'::regclass),
			(SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid IN (SELECT oid FROM role)
				OR a.usesysid IS NOT NULL AND a.usesysid <> 0 AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.usesysid)),
			(SELECT count(*) FROM pg_prepared_xacts WHERE owner = $1::text OR owner IS NULL),
			(SELECT count(*) FROM pg_database WHERE datallowconn),
			(SELECT count(*) FROM pg_database WHERE NOT datallowconn AND datname <> 'template0')`, role,
	).Scan(&l.roles, &l.memberships, &l.dependencies, &l.sessions, &l.prepared, &l.databases, &l.closed)
	return l, scrub(s.target, "look what is left of role "+role, err)
}

func (l leftovers) none() bool { return l.roles == 0 && l.sessions == 0 && l.prepared == 0 }

func (l leftovers) message(role string) string {
	presence := "absent from pg_roles"
	if l.roles > 0 {
		presence = "still in pg_roles"
	}
	message := fmt.Sprintf("role %s %s: %d sessions, %d prepared transactions, %d memberships, %d dependencies over %d databases",
		role, presence, l.sessions, l.prepared, l.memberships, l.dependencies, l.databases)
	if l.closed > 0 {
		message += fmt.Sprintf(" (and %d that take no connections)", l.closed)
	}
	if l.roles == 0 && l.sessions+l.prepared > 0 {
		message += ": sessions or prepared transactions of a role that no longer exists, end them on the target"
	}
	return message
}

// List names the requests that this installation has roles for, by UID.
func (i *Issuer) List(ctx context.Context, target credential.Target) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s, err := i.open(ctx, target)
	if err != nil {
		return nil, err
	}
	defer s.close()
	roles, err := s.column(ctx, s.home, "list this installation's roles",
		"SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1::text) ORDER BY 1", i.prefix())
	if err != nil {
		return nil, err
	}
	var uids []string
	for _, role := range roles {
		if uid, ok := i.uid(role); ok {
			uids = append(uids, uid)
		}
	}
	return uids, nil
}
