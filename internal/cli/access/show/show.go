// Package show is kubectl access show: one request, whole.
package show

import (
	"context"
	"fmt"
	"io"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/review"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of show.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory

	Name   string
	Output string

	client    client.WithWatch
	namespace string
}

// Complete connects.
func (o *Options) Complete() (err error) {
	o.client, o.namespace, err = o.Factory.ClientIn()
	return err
}

// Validate refuses unknown formats.
func (o *Options) Validate() error { return kube.ValidateOutput(o.Output) }

// Run prints the request.
func (o *Options) Run(ctx context.Context) error {
	r, err := task.Find(ctx, o.client, o.namespace, o.Name)
	if err != nil {
		return err
	}
	if o.Output != "" {
		return kube.Print(o.Out, o.client.Scheme(), o.Output, r)
	}
	var out strings.Builder
	asked(&out, r)
	o.stands(&out, r)
	if err := o.held(ctx, &out, r); err != nil {
		return err
	}
	if err := conditions(&out, r); err != nil {
		return err
	}
	if err := recordings(&out, r); err != nil {
		return err
	}
	_, err = io.WriteString(o.Out, out.String())
	return err
}

func field(out io.Writer, name, format string, args ...any) {
	fmt.Fprintf(out, "%-11s %s\n", name+":", record.PrintableLine(fmt.Sprintf(format, args...)))
}

func asked(out io.Writer, r *v1alpha1.TaskAccessRequest) {
	spec := r.Spec
	field(out, "Request", "%s", r.Name)
	field(out, "Task", "%s (%s)", spec.Task.ID, spec.Task.Type)
	if spec.Task.URL != "" {
		field(out, "URL", "%s", spec.Task.URL)
	}
	if spec.Task.Reviewer != "" {
		field(out, "Reviewer", "%s", spec.Task.Reviewer)
	}
	field(out, "Requester", "%s", spec.Requester.Username)
	field(out, "Reason", "%s", spec.Reason)
	field(out, "Target", "%s", spec.Target)
	field(out, "Duration", "%s from the grant", review.Seconds(spec.DurationSeconds))
}

// stands says how the request stands now.
func (o *Options) stands(out io.Writer, r *v1alpha1.TaskAccessRequest) {
	status := r.Status
	reason, message := task.State(r)
	fmt.Fprintln(out)
	field(out, "State", "%s: %s", reason, message)
	if status.Policy != nil {
		field(out, "Policy", "%s", status.Policy.Name)
	}
	if status.Review != "" {
		field(out, "Review", "%s", status.Review)
	}
	if status.ExpiresAt != nil && !task.Over(r) {
		field(out, "Expires", "%s (%s)", review.Left(status.ExpiresAt.Time, o.Factory.Now()), utc(*status.ExpiresAt))
	}
	if e := status.Endpoint; e != nil {
		field(out, "Proxy", "%s/%s port %d", e.Namespace, e.Pod, e.Port)
	}
	if c := status.Credential; c != nil {
		field(out, "Credential", "%s %s", c.Type, c.Name)
	}
	if s := status.Sessions; s != nil {
		field(out, "Sessions", "%d now, %d in all; operations: %d allowed, %d refused", s.Active, s.Total, s.Allowed, s.Refused)
	}
	if status.Ended != nil {
		field(out, "Ended", "%s: %s (%s)", status.Ended.Reason, status.Ended.Message, utc(status.Ended.At))
	}
	if t := status.Teardown; t != nil {
		proved := "proved"
		if !t.Proved {
			proved = "not proved"
		}
		field(out, "Teardown", "%s: %s", proved, t.Message)
	}
}

// held lists the operations that were put before reviewers, if reviews may be read:
// requesters may not, for they show what others wrote.
func (o *Options) held(ctx context.Context, out io.Writer, r *v1alpha1.TaskAccessRequest) error {
	list := &v1alpha1.ApprovalReviewList{}
	err := o.client.List(ctx, list, client.InNamespace(r.Namespace), client.MatchingLabels{v1alpha1.LabelRequestUID: string(r.UID)})
	if apierrors.IsForbidden(err) {
		field(out, "Held", "%s", "you may not list reviews here; a held operation's client is told its review's name")
		return nil
	}
	if err != nil {
		return err
	}
	var rows [][]string
	for i := range list.Items {
		question := list.Items[i].Spec.Question
		if question.Subject.Held == nil || question.Subject.Request.UID != string(r.UID) {
			continue
		}
		state := review.Left(question.ExpiresAt.Time, o.Factory.Now()) + " left"
		if outcome := list.Items[i].Status.Outcome; outcome != "" {
			state = string(outcome)
		}
		rows = append(rows, []string{list.Items[i].Name, string(question.Subject.Held.Point), state, clip(review.What(&list.Items[i]))})
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	table := terminal.NewTable(out, "HELD", "POINT", "STATE", "WHAT")
	for _, row := range rows {
		table.Row(row...)
	}
	return table.Flush()
}

// clip keeps a long text from breaking the table.
func clip(line string) string {
	const most = 64
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return line
}

func conditions(out io.Writer, r *v1alpha1.TaskAccessRequest) error {
	if len(r.Status.Conditions) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	table := terminal.NewTable(out, "CONDITION", "STATUS", "REASON", "MESSAGE")
	for _, c := range r.Status.Conditions {
		table.Row(c.Type, string(c.Status), c.Reason, c.Message)
	}
	return table.Flush()
}

func recordings(out io.Writer, r *v1alpha1.TaskAccessRequest) error {
	if r.Status.Recording == nil || len(r.Status.Recording.Head) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	table := terminal.NewTable(out, "SESSION", "EVENTS", "COMPLETE")
	for _, head := range r.Status.Recording.Head {
		table.Row(head.Session, fmt.Sprint(head.Sequence), fmt.Sprint(head.Complete))
	}
	return table.Flush()
}

func utc(t metav1.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
