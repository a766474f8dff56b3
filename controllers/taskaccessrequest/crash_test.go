package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

var errKilled = errors.New("the manager was killed")

// mortal is a manager that dies at its nth effect: before it, or after it with the
// answer lost. Once dead it does nothing more.
type mortal struct {
	left  int
	after bool
	dead  bool
}

func (m *mortal) effect(do func() error) error {
	if m.dead {
		return errKilled
	}
	m.left--
	if m.left > 0 {
		return do()
	}
	m.dead = true
	if m.after {
		_ = do()
	}
	return errKilled
}

// client dies at writes to the API server. Questions to the authoriser are no effect.
func (m *mortal) client(t *testing.T, w *world) client.Client {
	t.Helper()
	inner, err := client.NewWithWatch(w.server.Config, client.Options{Scheme: w.server.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return interceptor.NewClient(inner, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if o.GetNamespace() == "" {
				return c.Create(ctx, o, opts...)
			}
			return m.effect(func() error { return c.Create(ctx, o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return m.effect(func() error { return c.Delete(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return m.effect(func() error { return c.Update(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return m.effect(func() error { return c.Patch(ctx, o, p, opts...) })
		},
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			return m.effect(func() error { return c.SubResource(sub).Apply(ctx, o, opts...) })
		},
	})
}

// mortalBank dies at effects on the target.
type mortalBank struct {
	*bank
	m *mortal
}

func (b mortalBank) Issue(ctx context.Context, t credential.Target, r credential.Request) (issued v1alpha1.IssuedCredential, err error) {
	err = b.m.effect(func() error { issued, err = b.bank.Issue(ctx, t, r); return err })
	return issued, err
}

func (b mortalBank) Revoke(ctx context.Context, t credential.Target, r credential.Request) error {
	return b.m.effect(func() error { return b.bank.Revoke(ctx, t, r) })
}

// TestLIFE4_WhereverTheManagerIsKilledTheNextOneFinishes kills the manager at its
// first effect, its second, and so on until a life needs no more of them; each time
// another manager goes on. One role, one review, one proxy; then nothing.
func TestLIFE4_WhereverTheManagerIsKilledTheNextOneFinishes(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for nth := 1; ; nth++ {
			reached := false
			t.Run(fmt.Sprintf("effect %d, answer lost %t", nth, after), func(t *testing.T) {
				w := newWorld(t)
				m := &mortal{left: nth, after: after}
				w.r = w.reconciler(m.client(t, w))
				w.r.Issuers[roles] = mortalBank{bank: w.bank, m: m}

				w.settleOver(m)
				w.expect(v1alpha1.ReasonAwaitingReview)
				if w.bank.issued != 0 {
					t.Fatal("a credential before the review")
				}
				w.decide(v1alpha1.OutcomeApproved)
				w.settleOver(m)
				w.expect(v1alpha1.ReasonActive)
				if len(w.bank.roles) != 1 || len(w.leftovers()) != 6 {
					t.Fatalf("roles %v, objects %v", w.bank.roles, w.leftovers())
				}
				reviews := &v1alpha1.ApprovalReviewList{}
				w.must(w.admin.List(t.Context(), reviews, client.InNamespace(w.request.Namespace)))
				if len(reviews.Items) != 1 {
					t.Fatalf("%d reviews", len(reviews.Items))
				}
				w.closeRequest()
				w.settleOver(m)
				w.expect(v1alpha1.ReasonClosed)
				if len(w.bank.roles) != 0 || len(w.leftovers()) != 0 || holds(w.request) {
					t.Fatalf("left: roles %v, objects %v", w.bank.roles, w.leftovers())
				}
				reached = m.dead
			})
			if t.Failed() || !reached {
				t.Logf("a life has %d effects", nth-1)
				break
			}
		}
	}
}

// settleOver settles, and when the manager dies in between, with the next one.
func (w *world) settleOver(m *mortal) {
	w.t.Helper()
	w.settle()
	if m.dead {
		w.r = w.reconciler(w.admin)
		w.settle()
	}
}
