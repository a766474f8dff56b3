// Package guard compares the admission policies that are installed with the manager's
// own. Promises about who may change what rest on them: while they differ, nothing is
// granted.
package guard

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/config/admission"
)

// Guard reads past the cache, and remembers an answer for a moment.
type Guard struct {
	reader client.Reader
	wanted []*unstructured.Unstructured
	now    func() time.Time
	keep   time.Duration

	mu     sync.Mutex
	asked  time.Time
	answer []string
}

// New makes a guard that believes its own answer for as long as keep.
func New(reader client.Reader, now func() time.Time, keep time.Duration) (*Guard, error) {
	wanted, err := admission.Objects()
	if err != nil {
		return nil, err
	}
	return &Guard{reader: reader, wanted: wanted, now: now, keep: keep}, nil
}

// Differences says what differs; nothing where all is as it should be. A look-up that
// fails is an error, never an empty answer.
func (g *Guard) Differences(ctx context.Context) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.asked.IsZero() && g.now().Sub(g.asked) < g.keep {
		return g.answer, nil
	}
	found := []string{}
	for _, wanted := range g.wanted {
		differences, err := g.compare(ctx, wanted)
		if err != nil {
			return nil, err
		}
		found = append(found, differences...)
	}
	g.asked, g.answer = g.now(), found
	return found, nil
}

func (g *Guard) compare(ctx context.Context, wanted *unstructured.Unstructured) ([]string, error) {
	installed := &unstructured.Unstructured{}
	installed.SetGroupVersionKind(wanted.GroupVersionKind())
	err := g.reader.Get(ctx, client.ObjectKeyFromObject(wanted), installed)
	switch {
	case err == nil:
		return admission.Differences(installed, wanted), nil
	case admission.MutatingKinds[wanted.GetKind()] && absent(err):
		// A cluster without the kind: requesters write spec.requester themselves,
		// and are refused unless it is their own.
		return nil, nil
	case apierrors.IsNotFound(err):
		return admission.Differences(nil, wanted), nil
	}
	return nil, fmt.Errorf("read %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
}

// absent says that the API server does not know the kind, or has no such object: with
// validation in place the stamp is a convenience.
func absent(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err)
}
