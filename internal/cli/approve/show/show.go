// Package show is kubectl approve show: one question, whole.
package show

import (
	"context"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/review"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/digest"
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

// Run prints the question.
func (o *Options) Run(ctx context.Context) error {
	r, err := review.Find(ctx, o.client, o.namespace, o.Name)
	if err != nil {
		return err
	}
	if o.Output != "" {
		return kube.Print(o.Out, o.client.Scheme(), o.Output, r)
	}
	var out strings.Builder
	o.question(&out, r)
	if held := r.Spec.Question.Subject.Held; held != nil {
		if err := operation(&out, held, r.Spec.Question.Grant); err != nil {
			return err
		}
	}
	o.rules(ctx, &out, r)
	if err := o.decisions(&out, r); err != nil {
		return err
	}
	o.state(&out, r)
	_, err = io.WriteString(o.Out, record.Printable(out.String()))
	return err
}

func field(out io.Writer, name, format string, args ...any) {
	fmt.Fprintf(out, "%-11s %s\n", name+":", record.PrintableLine(fmt.Sprintf(format, args...)))
}

func (o *Options) question(out io.Writer, r *v1alpha1.ApprovalReview) {
	q := r.Spec.Question
	field(out, "Request", "%s", q.Subject.Request.Name)
	field(out, "Review", "%s", r.Name)
	field(out, "Task", "%s (%s)", q.Task.ID, q.Task.Type)
	if q.Task.URL != "" {
		field(out, "URL", "%s", q.Task.URL)
	}
	field(out, "Requester", "%s", q.Requester.Username)
	if len(q.Requester.Groups) > 0 {
		field(out, "Groups", "%s", strings.Join(q.Requester.Groups, ", "))
	}
	field(out, "Reason", "%s", q.Reason)
	field(out, "Target", "%s", q.Target.Name)
	field(out, "Policy", "%s", q.Policy.Name)
	field(out, "Duration", "%s from the grant", review.Seconds(q.DurationSeconds))
	has := "\nWould get:"
	if q.Subject.Held != nil {
		has = "\nHas:"
	}
	fmt.Fprintln(out, has)
	for _, line := range review.Grant(q.Grant) {
		fmt.Fprintln(out, "  "+record.PrintableLine(line))
	}
}

// rules prints the policy's rules, if they may be read, and are still those that
// the question is bound to.
func (o *Options) rules(ctx context.Context, out io.Writer, r *v1alpha1.ApprovalReview) {
	q := r.Spec.Question
	policy := &v1alpha1.AccessPolicy{}
	if err := o.client.Get(ctx, types.NamespacedName{Namespace: r.Namespace, Name: q.Policy.Name}, policy); err != nil {
		fmt.Fprintf(out, "\nRules: cannot be shown: %s\n", record.PrintableLine(err.Error()))
		return
	}
	if digest.BindPolicy(policy) != q.Policy {
		fmt.Fprintln(out, "\nRules: the policy has changed since the review opened: the question no longer stands")
		return
	}
	if len(policy.Spec.Rules) == 0 {
		fmt.Fprintln(out, "\nRules: none; the grant alone decides")
		return
	}
	fmt.Fprintln(out, "\nRules:")
	for _, rule := range policy.Spec.Rules {
		fmt.Fprintf(out, "  %-5s %s: %s", rule.Effect, rule.Name, record.PrintableLine(rule.When))
		if rule.Message != "" {
			fmt.Fprintf(out, " (%s)", record.PrintableLine(rule.Message))
		}
		fmt.Fprintln(out)
	}
}

func (o *Options) decisions(out io.Writer, r *v1alpha1.ApprovalReview) error {
	q := r.Spec.Question
	fmt.Fprintln(out, "\nRequirements:")
	for _, requirement := range q.Requirements {
		fmt.Fprintf(out, "  %s: %d of %s\n", requirement.Name, max(requirement.Count, 1), record.PrintableLine(review.Who(requirement, q.Task)))
	}
	if len(r.Spec.Decisions) == 0 {
		fmt.Fprintln(out, "\nDecisions: none yet")
		return nil
	}
	fmt.Fprintln(out, "\nDecisions:")
	latched := map[string]v1alpha1.LatchedDecision{}
	for _, l := range r.Status.Latched {
		latched[l.Reviewer] = l
	}
	table := terminal.NewTable(out, "  REVIEWER", "VERDICT", "COUNTS", "MESSAGE")
	for _, d := range r.Spec.Decisions {
		counts := "not counted yet"
		if l, ok := latched[d.Reviewer]; ok && l.Counted {
			counts = "for " + l.Seat
		} else if ok {
			counts = "no: " + l.Why
		}
		table.Row("  "+d.Reviewer, string(d.Verdict), counts, d.Message)
	}
	return table.Flush()
}

func (o *Options) state(out io.Writer, r *v1alpha1.ApprovalReview) {
	fmt.Fprintln(out)
	state := "Pending"
	if ready := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		state = ready.Reason + ": " + ready.Message
	}
	field(out, "State", "%s", state)
	if r.Status.Outcome != "" {
		return
	}
	deadline := r.Spec.Question.ExpiresAt
	field(out, "Expires", "%s (%s)", review.Left(deadline.Time, o.Factory.Now()), deadline.UTC().Format("2006-01-02 15:04:05Z"))
	name := review.Name(r)
	fmt.Fprintf(out, "\nTo answer:\n  kubectl approve %s -m \"why it is right\"\n  kubectl approve deny %s -m \"why it is not\"\n", name, name)
}
