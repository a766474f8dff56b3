package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/internal/credential"
)

// Revoke ends the role in steps that each stand when a later one fails: it can log
// in no more, its sessions end, its code is dropped, its data become the
// administrator's, it goes.
func (i *Issuer) Revoke(ctx context.Context, target credential.Target, request credential.Request) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	role, err := i.RoleName(request.UID)
	if err != nil {
		return err
	}
	s, err := i.open(ctx, target)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.lock(ctx, lockKey(role)); err != nil {
		return err
	}
	oid, err := s.oid(ctx, role)
	if err != nil || oid == "" {
		return err
	}
	return s.revoke(ctx, role, oid)
}

func (s *session) revoke(ctx context.Context, role, oid string) error {
	quoted := identifier(role)
	if err := s.script(ctx, s.home, "end the logins of role "+role,
		"ALTER ROLE "+quoted+" NOLOGIN CONNECTION LIMIT 0 VALID UNTIL '-infinity' PASSWORD NULL"); err != nil {
		return err
	}
	if err := s.becomeMember(ctx, role); err != nil {
		return err
	}
	if err := s.terminate(ctx, role, oid); err != nil {
		return err
	}
	if err := s.rollbackPrepared(ctx, role); err != nil {
		return err
	}
	if err := s.disownEverywhere(ctx, role, oid); err != nil {
		return err
	}
	if err := s.script(ctx, s.home, "drop role "+role, "DROP ROLE IF EXISTS "+quoted); err != nil {
		if code(err) == dependentObjects {
			return fmt.Errorf("%w: its objects are looked for again", err)
		}
		return err
	}
	// A login that passed its checks before NOLOGIN shows up as a session after
	// them; by now it has.
	return s.terminate(ctx, role, oid)
}

// oid is the role's, as text; empty when there is none.
func (s *session) oid(ctx context.Context, role string) (string, error) {
	found, err := s.column(ctx, s.home, "look for role "+role, "SELECT oid::text FROM pg_roles WHERE rolname = $1::text", role)
	return strings.Join(found, ""), err
}

// becomeMember gives an administrator without SUPERUSER the role, which lets it end
// the role's sessions and reassign its objects. From PostgreSQL 16 on the maker of
// a role is its member in name only.
func (s *session) becomeMember(ctx context.Context, role string) error {
	if s.superuser {
		return nil
	}
	options := ""
	if s.version >= 160000 {
		options = " WITH INHERIT TRUE, SET TRUE"
	}
	return s.script(ctx, s.home, "become a member of role "+role, "GRANT "+identifier(role)+" TO "+s.admin+options)
}

// terminate ends the role's sessions, and waits until the server shows none.
func (s *session) terminate(ctx context.Context, role, oid string) error {
	const patience = 10 * time.Second
	doing := "end the sessions of role " + role
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		var sessions int
		err := s.home.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE usesysid = $1::text::oid AND pid <> pg_backend_pid()`, oid).Scan(&sessions)
		if err != nil {
			return scrub(s.target, doing, err)
		}
		if sessions == 0 {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("%s: %d do not end: %w", doing, sessions, err)
		}
	}
}

// rollbackPrepared ends transactions that outlive their sessions. Each can be ended
// only in its own database, by its owner or a superuser.
func (s *session) rollbackPrepared(ctx context.Context, role string) error {
	doing := "roll back the prepared transactions of role " + role
	rows, err := s.home.Query(ctx, "SELECT database::text, gid FROM pg_prepared_xacts WHERE owner = $1::text", role)
	if err != nil {
		return scrub(s.target, doing, err)
	}
	type prepared struct{ Database, GID string }
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[prepared])
	if err != nil {
		return scrub(s.target, doing, err)
	}
	for _, p := range found {
		err := s.in(ctx, p.Database, func(conn *pgx.Conn) error {
			if !s.superuser {
				if err := s.script(ctx, conn, doing, "SET ROLE "+identifier(role)); err != nil {
					return err
				}
			}
			err := s.script(ctx, conn, doing, "ROLLBACK PREPARED "+literal(p.GID))
			return errors.Join(err, s.script(ctx, conn, doing, "RESET ROLE"))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// disownEverywhere visits each database in which the server's catalog of shared
// dependencies, the one that guards DROP ROLE, has the role own or hold anything.
func (s *session) disownEverywhere(ctx context.Context, role, oid string) error {
	databases, err := s.dependent(ctx, role, oid)
	if err != nil {
		return err
	}
	for _, d := range databases {
		if !d.Connectable {
			return fmt.Errorf("role %s owns or holds something in database %s, which takes no connections: "+
				"allow them (ALTER DATABASE … ALLOW_CONNECTIONS true) or drop it", role, quoteName(d.Name))
		}
		err := s.in(ctx, d.Name, func(conn *pgx.Conn) error {
			return s.withPrivileges(ctx, func() error {
				statements, err := s.dropCode(ctx, conn, role, oid)
				if err != nil {
					return err
				}
				return s.script(ctx, conn, "reassign what role "+role+" owns in database "+quoteName(d.Name), append(statements,
					"REASSIGN OWNED BY "+identifier(role)+" TO "+s.admin,
					"DROP OWNED BY "+identifier(role))...)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type database struct {
	Name        string
	Connectable bool
}

// dependent lists the databases; what belongs to none of them, such as privileges
// on databases, is seen to at home.
func (s *session) dependent(ctx context.Context, role, oid string) ([]database, error) {
	doing := "look where role " + role + " owns or holds anything"
	rows, err := s.home.Query(ctx, `SELECT DISTINCT coalesce(d.datname, $2::text), coalesce(d.datallowconn AND d.datconnlimit <> -2, true)
		FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid
		WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1::text::oid ORDER BY 1`, oid, homeDatabase(s.target))
	if err != nil {
		return nil, scrub(s.target, doing, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[database])
	return found, scrub(s.target, doing, err)
}

// literal quotes for standard_conforming_strings = on, which our sessions set.
func literal(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
