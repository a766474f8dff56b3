// Package inbox is kubectl approve without a name: the reviews that wait for you.
package inbox

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/approval"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/review"
	"github.com/sallyport/sallyport/internal/cli/terminal"
)

// Options of the inbox.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory

	AllNamespaces bool
	Watch         bool
	Output        string

	client    client.WithWatch
	namespace string
	me        authenticationv1.UserInfo
}

// Complete finds out who and where you are.
func (o *Options) Complete(ctx context.Context) (err error) {
	if o.client, o.namespace, err = o.Factory.ClientIn(); err != nil {
		return err
	}
	if o.AllNamespaces {
		o.namespace = ""
	}
	o.me, err = kube.WhoAmI(ctx, o.client)
	return err
}

// Validate refuses what does not go together.
func (o *Options) Validate() error {
	if o.Watch && o.Output != "" {
		return fmt.Errorf("--watch prints a table: leave -o out")
	}
	return kube.ValidateOutput(o.Output)
}

// Run prints the reviews that wait for you.
func (o *Options) Run(ctx context.Context) error {
	if o.Watch {
		return o.watch(ctx)
	}
	list := &v1alpha1.ApprovalReviewList{}
	if err := o.client.List(ctx, list, client.InNamespace(o.namespace)); err != nil {
		return err
	}
	waiting, err := o.waiting(ctx, list.Items)
	if err != nil {
		return err
	}
	if o.Output != "" {
		return kube.PrintList(o.Out, o.client.Scheme(), o.Output, waiting)
	}
	if len(waiting) == 0 {
		_, err := fmt.Fprintln(o.ErrOut, "No reviews wait for you.")
		return err
	}
	table := o.table()
	for i := range waiting {
		table.Row(o.cells(&waiting[i])...)
	}
	return table.Flush()
}

// waiting are the reviews that you can still answer, the most urgent first.
func (o *Options) waiting(ctx context.Context, reviews []v1alpha1.ApprovalReview) ([]v1alpha1.ApprovalReview, error) {
	out := []v1alpha1.ApprovalReview{}
	for i := range reviews {
		mine, err := o.waits(ctx, &reviews[i])
		if err != nil {
			return nil, err
		}
		if mine {
			out = append(out, reviews[i])
		}
	}
	slices.SortStableFunc(out, func(a, b v1alpha1.ApprovalReview) int {
		return a.Spec.Question.ExpiresAt.Compare(b.Spec.Question.ExpiresAt.Time)
	})
	return out, nil
}

// waits says whether a review waits for you: it is open, you have a seat and the
// verb, and have not decided yet.
func (o *Options) waits(ctx context.Context, r *v1alpha1.ApprovalReview) (bool, error) {
	q := r.Spec.Question
	decided := slices.ContainsFunc(r.Spec.Decisions, func(d v1alpha1.Decision) bool { return d.Reviewer == o.me.Username })
	if r.Status.Outcome != "" || decided || !o.Factory.Now().Before(q.ExpiresAt.Time) {
		return false, nil
	}
	me := v1alpha1.Decision{Reviewer: o.me.Username, UID: o.me.UID, Groups: o.me.Groups}
	if !approval.Eligible(q, me, approval.Identities{}) {
		return false, nil
	}
	return kube.MayReview(ctx, o.client, r.Namespace, q.Policy.Name)
}

func (o *Options) table() *terminal.Table {
	headers := []string{"NAME", "TASK", "REQUESTER", "TARGET", "POLICY", "WHAT", "NEEDS", "EXPIRES"}
	if o.AllNamespaces {
		headers = append([]string{"NAMESPACE"}, headers...)
	}
	return terminal.NewTable(o.Out, headers...)
}

func (o *Options) cells(r *v1alpha1.ApprovalReview) []string {
	q := r.Spec.Question
	cells := []string{
		review.Name(r), q.Task.ID, q.Requester.Username, q.Target.Name, q.Policy.Name,
		shortened(review.What(r)), review.Needs(r), review.Left(q.ExpiresAt.Time, o.Factory.Now()),
	}
	if o.AllNamespaces {
		cells = append([]string{r.Namespace}, cells...)
	}
	return cells
}

// shortened keeps a long line from breaking the table; show has it whole.
func shortened(line string) string {
	const most = 48
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return line
}
