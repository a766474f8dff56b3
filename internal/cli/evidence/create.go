// Package evidence is kubectl access evidence: a bundle of all that is to be known of a
// request, and its check, offline.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record"
)

// Create are the options of kubectl access evidence.
type Create struct {
	genericiooptions.IOStreams
	Source recording.Source

	// File to write; "" is one named by the request.
	File string
}

// Validate asks for a request.
func (o *Create) Validate() error {
	if o.Source.Name == "" {
		return errors.New("give a request's name: kubectl access evidence REQUEST -o bundle.tar")
	}
	return nil
}

// Complete has nothing to find out.
func (*Create) Complete() error { return nil }

// Run reads everything of a request, and writes the bundle.
func (o *Create) Run(ctx context.Context) (err error) {
	c, _, err := o.Source.Factory.ClientIn()
	if err != nil {
		return err
	}
	opened, err := o.Source.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	recordings := opened.Tasks[0]
	m := evidence.Material{
		Request: recordings.Request, Recordings: recordings, Keys: recordings.Keys,
		Identities: opened.Identities, Created: o.Source.Factory.Now(),
	}
	if err := gather(ctx, c, &m); err != nil {
		return err
	}
	if m.Events, err = events(ctx, c, m); apierrors.IsForbidden(err) {
		// They are for reading, and prove nothing: no gap.
		fmt.Fprintln(o.ErrOut, "without the cluster's events: you may not list them")
	} else if err != nil {
		return err
	}
	if o.File == "" {
		o.File = m.Request.Name + "-evidence.tar"
	}
	sum, err := write(ctx, o.File, m)
	if err != nil {
		return err
	}
	for _, note := range m.Notes {
		fmt.Fprintf(o.ErrOut, "missing: %s\n", record.PrintableLine(note))
	}
	_, err = fmt.Fprintf(o.Out, "%s: evidence of %s, SHA-256 of its manifest %s\nkubectl access evidence verify %s --key recording-key.pem checks it, anywhere\n",
		o.File, m.Request.Name, sum, o.File)
	return err
}

// gather reads what belongs to a request. What may not be read, or is gone, is noted; the
// reviews must be there.
func gather(ctx context.Context, c client.Client, m *evidence.Material) error {
	r := m.Request
	if !task.Over(r) {
		m.Notes = append(m.Notes, "the request was open when this bundle was made: what came later is not in it")
	}
	reviews := &v1alpha1.ApprovalReviewList{}
	if err := c.List(ctx, reviews, client.InNamespace(r.Namespace), client.MatchingLabels{v1alpha1.LabelRequestUID: string(r.UID)}); err != nil {
		if apierrors.IsForbidden(err) {
			return fmt.Errorf("evidence needs the right to list approvalreviews in namespace %s: %w", r.Namespace, err)
		}
		return err
	}
	m.Reviews = reviews.Items
	var err error
	if bound := r.Status.Policy; bound != nil {
		m.Policy, err = find(ctx, c, m, "policy", r.Namespace, bound.Name, &v1alpha1.AccessPolicy{})
	}
	if bound := r.Status.Target; bound != nil && err == nil {
		m.Target, err = find(ctx, c, m, "target", r.Namespace, bound.Name, &v1alpha1.AccessTarget{})
	}
	return err
}

// find reads one object; one that is gone or forbidden is nil, and noted.
func find[T client.Object](ctx context.Context, c client.Client, m *evidence.Material, what, namespace, name string, into T) (T, error) {
	var none T
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, into)
	switch {
	case err == nil:
		return into, nil
	case apierrors.IsNotFound(err):
		m.Notes = append(m.Notes, fmt.Sprintf("the %s %s was deleted before this bundle was made", what, name))
		return none, nil
	case apierrors.IsForbidden(err):
		m.Notes = append(m.Notes, fmt.Sprintf("the %s %s may not be read by who made this bundle", what, name))
		return none, nil
	}
	return none, fmt.Errorf("read the %s %s: %w", what, name, err)
}

// events reads the events of the request and its reviews; the cluster forgets them after
// an hour.
func events(ctx context.Context, c client.Client, m evidence.Material) ([]evidence.Event, error) {
	list := &corev1.EventList{}
	if err := c.List(ctx, list, client.InNamespace(m.Request.Namespace)); err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	uids := []types.UID{m.Request.UID}
	for i := range m.Reviews {
		uids = append(uids, m.Reviews[i].UID)
	}
	var found []evidence.Event
	for _, e := range list.Items {
		if !slices.Contains(uids, e.InvolvedObject.UID) {
			continue
		}
		at := e.LastTimestamp.Time
		if at.IsZero() {
			at = e.EventTime.Time
		}
		found = append(found, evidence.Event{
			Time: at, Object: e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name, Type: e.Type, Reason: e.Reason, Message: e.Message,
		})
	}
	return found, nil
}

// write writes the bundle. It appears under its name when it is whole, and only its
// owner reads it.
func write(ctx context.Context, name string, m evidence.Material) (sum string, err error) {
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return "", err
	}
	sum, err = evidence.Write(ctx, file, m)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return sum, nil
}
