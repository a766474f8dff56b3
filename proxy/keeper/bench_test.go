package keeper

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// BenchmarkOperation is what an operation costs beside the network: Admit, a write to the
// target, and the result.
func BenchmarkOperation(b *testing.B) {
	for name, how := range map[string]grant.Recording{
		"Process": {}, "Disk": {Durability: v1alpha1.DurabilityDisk},
	} {
		b.Run(name, func(b *testing.B) {
			k := New(Options{Directory: b.TempDir(), Spool: b.TempDir(), Log: logr.Discard(), Now: time.Now})
			if err := k.Start(how); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = k.Close(context.Background()) })
			operate := begunSession(b, k, how)
			b.ReportAllocs()
			for b.Loop() {
				operate()
			}
		})
	}
}

func begunSession(b testing.TB, k *Keeper, how grant.Recording) func() {
	b.Helper()
	spec := sessiontest.ReadOrders()
	spec.Recording.Durability = how.Durability
	task := sessiontest.New(b, nil, func(o *session.Options) {
		o.Recorder = k
		o.Dial = func(context.Context, grant.Grant, map[string]string) (net.Conn, error) { return nothing{}, nil }
	})
	state := sessiontest.Granted(spec, nil)(task.Key)
	state.Recording = how
	task.Update(state)
	s := task.NewSession(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	b.Cleanup(func() { _ = s.Close(nil) })
	if err := s.AuthenticateKey(b.Context(), task.Key.Public()); err != nil {
		b.Fatal(err)
	}
	if err := s.Begin(b.Context(), map[string]string{"database": "orders", "user": "bob"}); err != nil {
		b.Fatal(err)
	}
	target, err := s.Dial(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	operation := session.Operation{
		Text: "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
		Action: policy.Action{
			Protocol: "postgres", Kind: "select", Statements: 1,
			Access: []policy.Access{{Schema: "public", Name: "orders", Privilege: v1alpha1.PrivilegeSelect}},
		},
	}
	ctx, query := b.Context(), make([]byte, 64)
	return func() {
		admission, err := s.Admit(ctx, operation)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := target.Write(query); err != nil {
			b.Fatal(err)
		}
		s.Touch()
		if err := s.Result(ctx, record.Result{Operation: admission.Operation, Tag: "SELECT 1", Rows: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// nothing is a target that takes everything.
type nothing struct{ net.Conn }

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Close() error                { return nil }
