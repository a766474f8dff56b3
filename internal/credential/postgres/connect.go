package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// maxMessage bounds what a hostile server can make us hold.
const maxMessage = 4 << 20

// connect logs the administrator in. All look-ups are in pg_catalog, whatever the
// database's or the login's own search_path says.
func (i *Issuer) connect(ctx context.Context, target credential.Target, database string) (*pgx.Conn, error) {
	config, err := i.config(target, database)
	if err != nil {
		return nil, err
	}
	config.User, config.Password = target.Admin.Username, target.Admin.Password
	config.RequireAuth = requiredAuth(target)
	config.RuntimeParams = map[string]string{
		"application_name":                    "sallyport-manager",
		"search_path":                         "pg_catalog, pg_temp",
		"client_encoding":                     "UTF8",
		"standard_conforming_strings":         "on",
		"TimeZone":                            "UTC",
		"statement_timeout":                   milliseconds(statementTimeout),
		"lock_timeout":                        milliseconds(lockTimeout),
		"idle_in_transaction_session_timeout": milliseconds(statementTimeout),
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, scrubConnect(target, database, err)
	}
	return conn, nil
}

// config is a connection to the target's checked addresses alone. ParseConfig is
// the only way to make one, and it reads PG* from the environment: every field
// that matters is set afterwards.
func (i *Issuer) config(target credential.Target, database string) (*pgx.ConnConfig, error) {
	spec := target.Spec.Postgres
	if spec == nil {
		return nil, fmt.Errorf("%w: AccessTarget %s is not a PostgreSQL server", credential.ErrUnsupported, target.Name)
	}
	if len(target.Addresses) == 0 {
		return nil, fmt.Errorf("%w: AccessTarget %s has no address", credential.ErrUnreachable, target.Name)
	}
	config, err := pgx.ParseConfig("host=localhost port=5432 user=nobody database=postgres sslmode=disable")
	if err != nil {
		return nil, errors.New("the environment's PG* variables are not valid: unset them")
	}
	config.Host, config.Port, config.Database = spec.Host, uint16(spec.Port), database
	config.Fallbacks, config.ValidateConnect = nil, nil
	config.SSLNegotiation, config.SSLCertMode, config.ChannelBinding = "", "", "prefer"
	config.MinProtocolVersion, config.MaxProtocolVersion = "3.0", "3.0"
	config.ConnectTimeout = connectTimeout
	config.MaxProtocolMessageBodyLen = maxMessage
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend { return pgproto3.NewFrontend(r, w) }
	config.DialFunc = i.Dial
	config.LookupFunc = func(context.Context, string) ([]string, error) { return target.Addresses, nil }
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	config.TLSConfig, err = tlsConfig(spec, target.Admin)
	return config, err
}

// requiredAuth refuses a server that asks for less than it should: one that asks
// for nothing, and one that asks for the password in the clear without TLS.
func requiredAuth(target credential.Target) string {
	switch {
	case len(target.Admin.ClientCertificate) > 0:
		return ""
	case target.Spec.Postgres.TLS.Mode == v1alpha1.PostgresTLSDisable:
		return "scram-sha-256,md5"
	}
	return "scram-sha-256,md5,password"
}

func tlsConfig(spec *v1alpha1.PostgresTarget, admin credential.Admin) (*tls.Config, error) {
	if spec.TLS.Mode == v1alpha1.PostgresTLSDisable {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: spec.Host}
	if spec.TLS.CABundle != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(spec.TLS.CABundle)) {
			return nil, fmt.Errorf("%w: tls.caBundle holds no certificate", credential.ErrUnreachable)
		}
	}
	if spec.TLS.Mode == v1alpha1.PostgresTLSVerifyCA {
		// crypto/tls cannot check the chain without the name, so we check the chain.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, config.RootCAs) }
	}
	if len(admin.ClientCertificate) > 0 {
		pair, err := tls.X509KeyPair(admin.ClientCertificate, admin.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("%w: tls.crt and tls.key are not a pair", credential.ErrAdministrator)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	return err
}

// hangUp ends a connection without waiting long for a server that is gone.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
