package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/internal/credential"
)

// session is the administrator at work on one server. home is its connection to
// the administrator's own database, where it holds the locks: advisory locks are
// of one database, roles are of the whole server.
type session struct {
	issuer *Issuer
	target credential.Target
	home   *pgx.Conn
	// admin is the login, quoted.
	admin     string
	superuser bool
	version   int
	// ahead is how far the target's clock is ahead of ours.
	ahead time.Duration
}

// privilegesKey is the lock under which we change privileges. It is every
// installation's: objects are shared, and two changes at once fail.
var privilegesKey = lockKey("privileges")

// open connects home and learns who and where we are. The caller closes it.
func (i *Issuer) open(ctx context.Context, target credential.Target) (*session, error) {
	home, err := i.connect(ctx, target, homeDatabase(target))
	if err != nil {
		return nil, err
	}
	s := &session{issuer: i, target: target, home: home}
	var now time.Time
	var admin string
	err = home.QueryRow(ctx, `SELECT current_user::text, r.rolsuper, current_setting('server_version_num')::int, clock_timestamp()
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`).Scan(&admin, &s.superuser, &s.version, &now)
	if err != nil {
		s.close()
		return nil, scrub(target, "look who the administrator is", err)
	}
	s.admin = identifier(admin)
	// Taken after the answer, so that what the target enforces is never late.
	s.ahead = now.Sub(i.Now())
	return s, nil
}

func (s *session) close() { hangUp(s.home) }

func homeDatabase(target credential.Target) string {
	if target.Admin.Database != "" {
		return target.Admin.Database
	}
	return "postgres"
}

// lock takes an advisory lock at home, until unlocked or the session closes.
func (s *session) lock(ctx context.Context, key int64) error {
	_, err := s.home.Exec(ctx, "SELECT pg_catalog.pg_advisory_lock($1::bigint)", key)
	return scrub(s.target, "wait for another operation on the same credential", err)
}

// withPrivileges runs change while no other Sallyport changes privileges there,
// and again when some other administrator got in its way.
func (s *session) withPrivileges(ctx context.Context, change func() error) error {
	if err := s.lock(ctx, privilegesKey); err != nil {
		return err
	}
	var err error
	for attempt := range 4 {
		if err = change(); !transient(err) {
			break
		}
		if pause(ctx, 50*time.Millisecond<<attempt) != nil {
			break
		}
	}
	_, unlockErr := s.home.Exec(ctx, "SELECT pg_catalog.pg_advisory_unlock($1::bigint)", privilegesKey)
	if err != nil {
		return err
	}
	return scrub(s.target, "release the lock on privileges", unlockErr)
}

// in runs work on a connection to a database: the one at home, or a new one.
func (s *session) in(ctx context.Context, database string, work func(*pgx.Conn) error) error {
	if database == homeDatabase(s.target) {
		return work(s.home)
	}
	conn, err := s.issuer.connect(ctx, s.target, database)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	return work(conn)
}

// script runs statements as one simple query: one round trip, and one transaction
// unless they begin their own.
func (s *session) script(ctx context.Context, conn *pgx.Conn, doing string, statements ...string) error {
	if len(statements) == 0 {
		return nil
	}
	_, err := conn.PgConn().Exec(ctx, strings.Join(statements, ";\n")).ReadAll()
	return scrub(s.target, doing, err)
}

// transaction commits what work did, or none of it.
func (s *session) transaction(ctx context.Context, conn *pgx.Conn, work func() error) error {
	if err := s.script(ctx, conn, "begin a transaction", "BEGIN"); err != nil {
		return err
	}
	if err := work(); err != nil {
		// A connection that is gone has rolled back by itself.
		_ = s.script(ctx, conn, "roll back", "ROLLBACK")
		return err
	}
	return s.script(ctx, conn, "commit", "COMMIT")
}

// column reads a query's only column, of text.
func (s *session) column(ctx context.Context, conn *pgx.Conn, doing, query string, arguments ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, arguments...)
	if err != nil {
		return nil, scrub(s.target, doing, err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return values, scrub(s.target, doing, err)
}

func identifier(name ...string) string { return pgx.Identifier(name).Sanitize() }

func lockKey(what string) int64 {
	sum := sha256.Sum256([]byte("sallyport " + what))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting: %w", ctx.Err())
	}
}
