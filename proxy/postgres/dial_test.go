package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

func dial(t *testing.T, up grant.PostgresUpstream) (*Upstream, error) {
	t.Helper()
	conn, err := Dialer{Timeout: patience}.Dial(t.Context(), grant.Grant{Postgres: &up}, nil)
	if err != nil {
		if strings.Contains(err.Error(), up.Password.Reveal()) && up.Password != "" {
			t.Errorf("the error holds the password: %v", err)
		}
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*Upstream), nil
}

func TestPG4_TheTargetMayAskInAnyWayThatProvesSomething(t *testing.T) {
	t.Parallel()
	needTarget(t)
	certificate, key, err := target.ClientCertificate("by_certificate")
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"by_scram", "by_md5", "by_password", "by_certificate"} {
		up := upstream(user)
		if user == "by_certificate" {
			up.Password, up.ClientCertificate, up.ClientKey = "", string(certificate), grant.Secret(key)
		}
		got, err := dial(t, up)
		if err != nil {
			t.Errorf("%s: %v", user, err)
			continue
		}
		if got.Status != wire.StatusIdle || len(got.key.Secret) < 4 || len(got.Parameters) < 5 || got.Version != wire.Version30 && got.Version != wire.Version32 {
			t.Errorf("%s: status %c, a key of %d bytes, %d parameters, version %x", user, got.Status, len(got.key.Secret), len(got.Parameters), got.Version)
		}
	}
}

func TestPG4_AWrongPasswordFailsInEveryWay(t *testing.T) {
	t.Parallel()
	needTarget(t)
	for _, user := range []string{"by_scram", "by_md5", "by_password"} {
		up := upstream(user)
		up.Password = "something else"
		if _, err := dial(t, up); err == nil {
			t.Error(user, "let us in")
		}
	}
	up := upstream("by_certificate")
	if _, err := dial(t, up); err == nil {
		t.Error("by_certificate let us in without one")
	}
}

func TestPG4_ATargetThatAsksForNoPasswordIsRefused(t *testing.T) {
	t.Parallel()
	needTarget(t)
	if _, err := dial(t, upstream("by_trust")); !errors.Is(err, errNoProof) {
		t.Error(err)
	}
}

func TestPG4_TheTargetsCertificateIsVerifiedAsTheGrantSays(t *testing.T) {
	t.Parallel()
	needTarget(t)
	other := pgtest.Start(t, pgtest.Options{})
	for _, c := range []struct {
		name   string
		change func(*grant.PostgresUpstream)
		works  bool
	}{
		{"VerifyFull with its name", func(*grant.PostgresUpstream) {}, true},
		{"VerifyFull with its address", func(u *grant.PostgresUpstream) { u.Host = "127.0.0.1" }, true},
		{"VerifyFull with another name", func(u *grant.PostgresUpstream) { u.Host = "db.example" }, false},
		{"VerifyFull with another CA", func(u *grant.PostgresUpstream) { u.CABundle = string(other.CAPEM) }, false},
		{"VerifyFull without a CA", func(u *grant.PostgresUpstream) { u.CABundle = "" }, false},
		{"VerifyCA with another name", func(u *grant.PostgresUpstream) { u.TLSMode, u.Host = v1alpha1.PostgresTLSVerifyCA, "db.example" }, true},
		{"VerifyCA with another CA", func(u *grant.PostgresUpstream) {
			u.TLSMode, u.CABundle = v1alpha1.PostgresTLSVerifyCA, string(other.CAPEM)
		}, false},
		{"a bundle that holds nothing", func(u *grant.PostgresUpstream) { u.CABundle = "nothing" }, false},
		{"Disable", func(u *grant.PostgresUpstream) { u.TLSMode, u.CABundle = v1alpha1.PostgresTLSDisable, "" }, true},
		{"no mode", func(u *grant.PostgresUpstream) { u.TLSMode = "" }, false},
		{"a name in place of an address", func(u *grant.PostgresUpstream) { u.Addresses = []string{"localhost"} }, false},
		{"the second address", func(u *grant.PostgresUpstream) { u.Addresses = []string{"127.0.0.9", "127.0.0.1"} }, true},
	} {
		up := upstream("by_scram")
		c.change(&up)
		if _, err := dial(t, up); (err == nil) != c.works {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPG4_APasswordDoesNotGoOutInPlaintext(t *testing.T) {
	t.Parallel()
	needTarget(t)
	up := upstream("by_password")
	up.TLSMode, up.CABundle = v1alpha1.PostgresTLSDisable, ""
	if _, err := dial(t, up); err == nil || !strings.Contains(err.Error(), "plaintext") {
		t.Error(err)
	}
}

func TestPG4_ATargetWithoutTLSIsRefusedWhereTLSIsAskedFor(t *testing.T) {
	t.Parallel()
	needTarget(t)
	plain := pgtest.Start(t, pgtest.Options{NoTLS: true})
	up := upstream("postgres")
	up.Port, up.Database, up.Password = int32(plain.Port), "postgres", grant.Secret(plain.Password)
	if _, err := dial(t, up); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Error(err)
	}
	up.TLSMode, up.CABundle = v1alpha1.PostgresTLSDisable, ""
	if _, err := dial(t, up); err != nil {
		t.Error(err)
	}
}

func TestPG4_InsideTLSTheConversationIsBoundToTheServersCertificate(t *testing.T) {
	t.Parallel()
	needTarget(t)
	conn, err := Dialer{}.connect(t.Context(), upstream("by_scram"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, c := range []struct {
		offered []string
		state   *tls.ConnectionState
		want    string
		header  string
	}{
		{[]string{mechanismSCRAMPlus, mechanismSCRAM}, conn.tls, mechanismSCRAMPlus, "p=tls-server-end-point,"},
		{[]string{mechanismSCRAM}, conn.tls, mechanismSCRAM, "y,"},
		{[]string{mechanismSCRAM}, nil, mechanismSCRAM, "n,"},
		{[]string{mechanismSCRAMPlus}, nil, "", ""},
		{[]string{"GSSAPI"}, conn.tls, "", ""},
	} {
		s, err := newSCRAM(c.offered, c.state, "x")
		if c.want == "" {
			if err == nil {
				t.Errorf("%v: %s was chosen", c.offered, s.mechanism)
			}
			continue
		}
		if err != nil || s.mechanism != c.want {
			t.Fatalf("%v: %v", c.offered, err)
		}
		first, err := s.first()
		if err != nil || !strings.Contains(string(first), c.header) {
			t.Errorf("%v: %q, %v", c.offered, first, err)
		}
	}
}

// script is a server that says what a test wants, and then nothing more.
func script(t *testing.T, talk func(*pgproto3.Backend, net.Conn)) grant.PostgresUpstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				b := pgproto3.NewBackend(conn, conn)
				if _, err := b.ReceiveStartupMessage(); err == nil {
					talk(b, conn)
				}
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	address := listener.Addr().(*net.TCPAddr)
	return grant.PostgresUpstream{
		Host: "localhost", Addresses: []string{"127.0.0.1"}, Port: int32(address.Port), TLSMode: v1alpha1.PostgresTLSDisable,
		Database: "orders", User: "bob", Password: taskPassword,
	}
}

func say(b *pgproto3.Backend, messages ...pgproto3.BackendMessage) {
	for _, m := range messages {
		b.Send(m)
	}
	_ = b.Flush()
}

func TestPG2_AHostileServerCannotStallOrBloatTheStartUp(t *testing.T) {
	t.Parallel()
	status := &pgproto3.ParameterStatus{Name: "x", Value: strings.Repeat("y", 60000)}
	for name, talk := range map[string]func(*pgproto3.Backend, net.Conn){
		"endless notices": func(b *pgproto3.Backend, conn net.Conn) {
			for conn.SetDeadline(time.Now().Add(time.Second)) == nil {
				if say(b, &pgproto3.NoticeResponse{Message: "more"}); b.Flush() != nil {
					return
				}
			}
		},
		"endless parameters": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.AuthenticationMD5Password{})
			_, _ = b.Receive()
			say(b, &pgproto3.AuthenticationOk{})
			for range 20 {
				say(b, status)
			}
		},
		"a key of 257 bytes": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.AuthenticationMD5Password{})
			_, _ = b.Receive()
			say(b, &pgproto3.AuthenticationOk{}, &pgproto3.BackendKeyData{SecretKey: make([]byte, 257)})
		},
		"a length of 4 GiB": func(_ *pgproto3.Backend, conn net.Conn) { _, _ = conn.Write([]byte("R\xff\xff\xff\xff")) },
		"a length of 0":     func(_ *pgproto3.Backend, conn net.Conn) { _, _ = conn.Write([]byte("R\x00\x00\x00\x00")) },
		"SASL that goes on before it began": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.AuthenticationSASLContinue{Data: []byte("r=x,s=eA==,i=4096")})
		},
		"SASL that ends before it began": func(b *pgproto3.Backend, _ net.Conn) { say(b, &pgproto3.AuthenticationSASLFinal{Data: []byte("v=x")}) },
		"SASL that ends without proof": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
			_, _ = b.Receive()
			say(b, &pgproto3.AuthenticationOk{})
		},
		"SCRAM with endless work": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
			_ = b.SetAuthType(pgproto3.AuthTypeSASL)
			m, err := b.Receive()
			if err != nil {
				return
			}
			_, nonce, _ := strings.Cut(string(m.(*pgproto3.SASLInitialResponse).Data), "r=")
			say(b, &pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + nonce + "x,s=c2FsdHNhbHQ=,i=2147483647")})
		},
		"no password at all": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
		},
		"rows before it is ready": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.AuthenticationMD5Password{})
			_, _ = b.Receive()
			say(b, &pgproto3.AuthenticationOk{}, &pgproto3.DataRow{Values: [][]byte{[]byte("x")}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			if _, err := dial(t, script(t, talk)); err == nil {
				t.Error("it was taken for a target")
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestPG4_BytesThatComeWithTheTLSReplyAreDiscarded(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.ReadFull(conn, make([]byte, 8))
		_, _ = conn.Write([]byte("SR\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"))
		_, _ = io.Copy(io.Discard, conn)
	}()
	up := grant.PostgresUpstream{Host: "localhost", Addresses: []string{"127.0.0.1"}, Port: int32(listener.Addr().(*net.TCPAddr).Port),
		TLSMode: v1alpha1.PostgresTLSVerifyFull, Database: "orders", User: "bob", Password: taskPassword}
	if _, err := dial(t, up); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Error(err)
	}
}

func TestADialIsBoundedInTime(t *testing.T) {
	t.Parallel()
	up := script(t, func(*pgproto3.Backend, net.Conn) {})
	began := time.Now()
	_, err := Dialer{Timeout: 50 * time.Millisecond}.Dial(context.Background(), grant.Grant{Postgres: &up}, nil)
	if err == nil || time.Since(began) > 5*time.Second {
		t.Error(err, time.Since(began))
	}
}
