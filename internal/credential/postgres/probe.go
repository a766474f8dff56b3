package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// oldest server that we know how to administer.
const oldest = 140000

// Probe looks at the target as a stranger first, then as its administrator.
func (i *Issuer) Probe(ctx context.Context, target credential.Target) (credential.Findings, error) {
	none := credential.Findings{}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if target.Spec.Postgres == nil {
		return none, fmt.Errorf("%w: AccessTarget %s is not a PostgreSQL server", credential.ErrUnsupported, target.Name)
	}
	for _, database := range target.Spec.Postgres.Databases {
		unsafe, err := i.asksNothing(ctx, target, database)
		if err != nil || unsafe != "" {
			return credential.Findings{Unsafe: unsafe}, err
		}
	}
	s, err := i.open(ctx, target)
	if err != nil {
		return none, err
	}
	defer s.close()
	findings, err := s.suffices(ctx)
	if err != nil {
		return none, err
	}
	if findings.Unsafe, err = s.trusts(ctx); err != nil {
		return none, err
	}
	findings.PublicGrants, err = s.publicGrants(ctx)
	return findings, err
}

// suffices says which server it is, or why we cannot work there.
func (s *session) suffices(ctx context.Context) (credential.Findings, error) {
	var findings credential.Findings
	var mayCreate bool
	err := s.home.QueryRow(ctx, `SELECT current_setting('server_version'), rolsuper OR rolcreaterole
		FROM pg_roles WHERE rolname = current_user`).Scan(&findings.ServerVersion, &mayCreate)
	if err != nil {
		return findings, scrub(s.target, "ask the server's version", err)
	}
	findings.ServerVersion = oneLine(findings.ServerVersion, 100)
	if s.version < oldest {
		return findings, fmt.Errorf("%w: PostgreSQL %s is older than 14", credential.ErrUnsupported, findings.ServerVersion)
	}
	if !mayCreate && s.target.Spec.Postgres.Credential != v1alpha1.CredentialStatic {
		return findings, fmt.Errorf("%w: %s has neither SUPERUSER nor CREATEROLE", credential.ErrAdministrator, s.admin)
	}
	databases, err := s.column(ctx, s.home, "list the databases",
		"SELECT datname::text FROM pg_database WHERE datallowconn AND datname = ANY ($1::text[])", s.target.Spec.Postgres.Databases)
	for _, database := range s.target.Spec.Postgres.Databases {
		if err == nil && !slices.Contains(databases, database) {
			err = fmt.Errorf("%w: there is no database %s that takes connections", credential.ErrUnsupported, quoteName(database))
		}
	}
	return findings, err
}

// trusts reads the server's own rules, where the administrator may: one that trusts
// other hosts may not show from where we stand.
func (s *session) trusts(ctx context.Context) (string, error) {
	if !s.superuser {
		return "", nil
	}
	const doing = "read the rules of pg_hba.conf"
	lines, err := s.column(ctx, s.home, doing, `SELECT line_number::text FROM pg_hba_file_rules
		WHERE auth_method = 'trust' AND type LIKE 'host%' AND 'all' = ANY (user_name)
			AND database <> ARRAY['replication'] AND address NOT IN ('127.0.0.1', '::1', 'localhost')
		ORDER BY line_number LIMIT 1`)
	if err != nil || len(lines) == 0 {
		return "", err
	}
	return fmt.Sprintf("asks no password: line %s of pg_hba.conf trusts everybody from another host", lines[0]), nil
}

// asksNothing logs in as a role that does not exist, of the form that ours have, and
// looks at the server's first word: AuthenticationOk is said to whom it trusts,
// before it looks for the role.
func (i *Issuer) asksNothing(ctx context.Context, target credential.Target, database string) (unsafe string, err error) {
	stranger := make([]byte, 16)
	if _, err := rand.Read(stranger); err != nil {
		return "", err
	}
	config, err := i.config(target, database)
	if err != nil {
		return "", err
	}
	if config.TLSConfig != nil {
		// The administrator's certificate is not a task's.
		config.TLSConfig.Certificates = nil
	}
	config.User, config.Password = i.prefix()+hex.EncodeToString(stranger), ""
	// Refuse whatever is asked for, before anything is sent.
	config.RequireAuth = "none"
	config.RuntimeParams = map[string]string{"application_name": "sallyport-manager"}
	var heard *listener
	config.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		heard = &listener{Conn: conn}
		return heard, nil
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if conn != nil {
		hangUp(conn)
	}
	if heard == nil || len(heard.first) == 0 {
		return "", scrubConnect(target, database, err)
	}
	return heard.verdict(target.Spec.Postgres.TLS.Mode), nil
}

// listener keeps the first bytes that the server says, inside TLS if there is any.
type listener struct {
	net.Conn
	first []byte
}

func (l *listener) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.first = append(l.first, p[:min(n, 9-len(l.first))]...)
	return n, err
}

// verdict reads an Authentication message: 'R', length, and what is asked for.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
func (l *listener) verdict(mode v1alpha1.PostgresTLSMode) string {
	if len(l.first) < 9 || l.first[0] != 'R' {
		return ""
	}
	switch asked := l.first[8]; {
	case asked == 0:
		return "asks no password"
	case asked == 3 && mode == v1alpha1.PostgresTLSDisable:
		return "asks for passwords in the clear, without TLS"
	}
	return ""
}
