package taskaccessrequest

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// notifier wakes the control streams of the requests that a change may concern.
type notifier struct {
	mu          sync.Mutex
	subscribers map[string]map[chan struct{}]bool
}

// Subscribe gives a channel that says that the request's state may have changed.
func (n *notifier) Subscribe(uid string) (<-chan struct{}, func()) {
	changed := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.subscribers == nil {
		n.subscribers = map[string]map[chan struct{}]bool{}
	}
	if n.subscribers[uid] == nil {
		n.subscribers[uid] = map[chan struct{}]bool{}
	}
	n.subscribers[uid][changed] = true
	return changed, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.subscribers[uid], changed)
		if len(n.subscribers[uid]) == 0 {
			delete(n.subscribers, uid)
		}
	}
}

// wake signals the subscribers of one request, or of all for an empty uid; signals
// coalesce, and nobody is waited for.
func (n *notifier) wake(uid string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for subscribed, channels := range n.subscribers {
		if uid != "" && subscribed != uid {
			continue
		}
		for changed := range channels {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
}

// Watch wakes streams on every change of what a task's state follows from. Policies
// and targets change seldom and concern many: they wake all.
func (p *Provider) Watch(ctx context.Context, informers cache.Cache) error {
	for _, watched := range []struct {
		object client.Object
		uid    func(client.Object) (uid string, concerned bool)
	}{
		{&v1alpha1.TaskAccessRequest{}, func(o client.Object) (string, bool) { return string(o.GetUID()), true }},
		{&v1alpha1.ApprovalReview{}, ofLabel},
		{&corev1.Pod{}, ofLabel},
		{&v1alpha1.AccessPolicy{}, func(client.Object) (string, bool) { return "", true }},
		{&v1alpha1.AccessTarget{}, func(client.Object) (string, bool) { return "", true }},
	} {
		informer, err := informers.GetInformer(ctx, watched.object)
		if err != nil {
			return fmt.Errorf("watch %T: %w", watched.object, err)
		}
		notify := func(changed any) {
			if tombstone, ok := changed.(toolscache.DeletedFinalStateUnknown); ok {
				changed = tombstone.Obj
			}
			object, ok := changed.(client.Object)
			if !ok {
				return
			}
			if uid, concerned := watched.uid(object); concerned {
				p.wake(uid)
			}
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: notify, UpdateFunc: func(_, changed any) { notify(changed) }, DeleteFunc: notify,
		}); err != nil {
			return fmt.Errorf("watch %T: %w", watched.object, err)
		}
	}
	return nil
}

func ofLabel(object client.Object) (string, bool) {
	uid := object.GetLabels()[v1alpha1.LabelRequestUID]
	return uid, uid != ""
}
