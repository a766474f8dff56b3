package postgres

import (
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/internal/grant"
)

// hostile is a proxy whose target lets us in, takes one message, and says what a
// test wants.
func hostile(t *testing.T, talk func(*pgproto3.Backend, net.Conn)) *raw {
	t.Helper()
	up := script(t, func(b *pgproto3.Backend, conn net.Conn) {
		say(b, &pgproto3.AuthenticationMD5Password{})
		_ = b.SetAuthType(pgproto3.AuthTypeMD5Password)
		_, _ = b.Receive()
		say(b, &pgproto3.AuthenticationOk{}, &pgproto3.BackendKeyData{SecretKey: make([]byte, 4)}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
		_, _ = b.Receive()
		talk(b, conn)
	})
	return newProxy(t, change{up: func(u *grant.PostgresUpstream) { *u = up }, policy: unrestrictedPolicy}).ready(t)
}

func TestPG2_AHostileServerEndsItsSessionAndNothingElse(t *testing.T) {
	t.Parallel()
	done := &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}
	ready := &pgproto3.ReadyForQuery{TxStatus: 'I'}
	for name, talk := range map[string]func(*pgproto3.Backend, net.Conn){
		"more statements than were judged":  func(b *pgproto3.Backend, _ net.Conn) { say(b, done, done, ready) },
		"fewer statements than were judged": func(b *pgproto3.Backend, _ net.Conn) { say(b, ready) },
		"an answer to nothing":              func(b *pgproto3.Backend, _ net.Conn) { say(b, done, ready, done) },
		"rows for nothing": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, done, ready, &pgproto3.DataRow{Values: [][]byte{[]byte("x")}})
		},
		"an error for nothing": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, done, ready, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000"})
		},
		"another ready":              func(b *pgproto3.Backend, _ net.Conn) { say(b, done, ready, ready) },
		"a COPY nobody asked for":    func(b *pgproto3.Backend, _ net.Conn) { say(b, &pgproto3.CopyInResponse{}) },
		"a COPY both ways":           func(b *pgproto3.Backend, _ net.Conn) { say(b, &pgproto3.CopyBothResponse{}) },
		"authentication again":       func(b *pgproto3.Backend, _ net.Conn) { say(b, &pgproto3.AuthenticationCleartextPassword{}) },
		"a key again":                func(b *pgproto3.Backend, _ net.Conn) { say(b, &pgproto3.BackendKeyData{SecretKey: make([]byte, 4)}) },
		"a function's result":        func(b *pgproto3.Backend, _ net.Conn) { say(b, &pgproto3.FunctionCallResponse{}) },
		"no such status":             func(b *pgproto3.Backend, _ net.Conn) { say(b, done, &pgproto3.ReadyForQuery{TxStatus: 'X'}) },
		"a length under 4":           func(_ *pgproto3.Backend, conn net.Conn) { _, _ = conn.Write([]byte("D\x00\x00\x00\x03")) },
		"a length of 4 GiB":          func(_ *pgproto3.Backend, conn net.Conn) { _, _ = conn.Write([]byte("D\xff\xff\xff\xff")) },
		"columns that are not there": func(_ *pgproto3.Backend, conn net.Conn) { _, _ = conn.Write([]byte("T\x00\x00\x00\x06\xff\xff")) },
		"a tag without end":          func(_ *pgproto3.Backend, conn net.Conn) { _, _ = conn.Write([]byte("C\x00\x00\x00\x06ab")) },
		"an error without end":       func(_ *pgproto3.Backend, conn net.Conn) { _, _ = conn.Write([]byte("E\x00\x00\x00\x06Sx")) },
		"another encoding": func(b *pgproto3.Backend, _ net.Conn) {
			say(b, &pgproto3.ParameterStatus{Name: "client_encoding", Value: "SJIS"}, done, ready)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := hostile(t, talk)
			r.write(query("SELECT 1"))
			got := r.until("EOF")
			if len(got) < 2 || !strings.HasPrefix(got[len(got)-2], "FATAL") {
				t.Error(got)
			}
		})
	}
}

// It measures memory, so it runs alone.
func TestPG2_EndlessNoticesPassInBoundedMemory(t *testing.T) {
	const many = 3000
	r := hostile(t, func(b *pgproto3.Backend, _ net.Conn) {
		for range many {
			say(b, &pgproto3.NoticeResponse{Severity: "NOTICE", Message: strings.Repeat("x", 60000)})
		}
		say(b, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r.write(query("SELECT 1"))
	for n := range many {
		if got := r.next(); got != "notice" {
			t.Fatalf("message %d: %s", n, got)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d bytes more are held", grown)
	}
	expect(t, r.untilReady(), "SELECT 1", "ready I")
}
