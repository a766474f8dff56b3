package inbox

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/review"
	"github.com/sallyport/sallyport/internal/cli/terminal"
)

// retry is how long watch waits before it starts over.
const retry = time.Second

// watching is the inbox while it is watched: each review is printed when it comes
// to wait for you, and again when what it needs has changed.
type watching struct {
	*Options
	table *terminal.Table
	shown map[types.UID]string
}

// watch prints until you leave. A watch that ends is started over; a list that is
// refused ends it.
func (o *Options) watch(ctx context.Context) error {
	w := &watching{Options: o, table: o.table(), shown: map[types.UID]string{}}
	for ctx.Err() == nil {
		if err := w.once(ctx); err != nil && ctx.Err() == nil {
			if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
				return err
			}
			fmt.Fprintln(o.ErrOut, kube.Message(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
	return nil
}

// once lists, and watches from there for as long as the API server lets it.
func (w *watching) once(ctx context.Context) error {
	list := &v1alpha1.ApprovalReviewList{}
	if err := w.client.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
		return err
	}
	waiting, err := w.waiting(ctx, list.Items)
	if err != nil {
		return err
	}
	for i := range waiting {
		w.show(&waiting[i])
	}
	if err := w.table.Flush(); err != nil {
		return err
	}
	from := &client.ListOptions{Namespace: w.namespace, Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}}
	events, err := w.client.Watch(ctx, &v1alpha1.ApprovalReviewList{}, from)
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		r, ok := event.Object.(*v1alpha1.ApprovalReview)
		if !ok || event.Type == watch.Deleted {
			continue
		}
		mine, err := w.waits(ctx, r)
		if err != nil {
			return err
		}
		if mine {
			w.show(r)
		}
		if err := w.table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *watching) show(r *v1alpha1.ApprovalReview) {
	needs := review.Needs(r)
	if w.shown[r.UID] == needs {
		return
	}
	w.shown[r.UID] = needs
	w.table.Row(w.cells(r)...)
}
