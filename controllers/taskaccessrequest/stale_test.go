package taskaccessrequest

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
)

// behind is a cache that has not seen any review or policy yet, nor, if blind, a request.
type behind struct {
	client.Client
	blind bool
}

func (c behind) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	switch object.(type) {
	case *v1alpha1.ApprovalReview, *v1alpha1.AccessPolicy:
		return errors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	return c.Client.Get(ctx, key, object, options...)
}

func (c behind) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if c.blind {
		return nil
	}
	return c.Client.List(ctx, list, options...)
}

func TestNoRequestEndsBecauseACacheIsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	leader := w.r
	w.r = w.reconciler(behind{Client: w.admin})
	w.must(w.pass())
	if ended := w.request.Status.Ended; ended != nil {
		t.Fatalf("ended for good: %s", ended.Message)
	}
	w.r = leader
	w.settle()
	w.expect(v1alpha1.ReasonActive)
}

func TestNoProxyIsToldOfAnEndBecauseAReplicasCacheIsBehind(t *testing.T) {
	t.Parallel()
	for name, blind := range map[string]bool{"no review seen yet": false, "no request seen yet": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settle()
			p := w.provide()
			p.Client = behind{Client: p.Client, blind: blind}
			if state := w.phase(p); state.Phase != grant.Waiting {
				t.Fatalf("told: %s, %s", state.Phase, state.Reason)
			}
			w.closeRequest()
			if state := w.phase(p); state.Phase != grant.Ended {
				t.Fatalf("closed, told: %s", state.Phase)
			}
		})
	}
}
