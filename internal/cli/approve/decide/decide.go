// Package decide is kubectl approve NAME and kubectl approve deny NAME.
package decide

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/review"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of a decision.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory

	Name    string
	Verdict v1alpha1.Verdict
	Message string

	client    client.WithWatch
	namespace string
}

// Complete connects.
func (o *Options) Complete() (err error) {
	o.client, o.namespace, err = o.Factory.ClientIn()
	return err
}

// Validate asks a denial for its reason: the requester reads it.
func (o *Options) Validate() error {
	if o.Verdict == v1alpha1.VerdictDeny && strings.TrimSpace(o.Message) == "" {
		return errors.New(`say why, for the requester: kubectl approve deny ` + o.Name + ` -m "…"`)
	}
	return nil
}

// Run adds the decision, and says whether it counts.
func (o *Options) Run(ctx context.Context) error {
	r, err := review.Find(ctx, o.client, o.namespace, o.Name)
	if err != nil {
		return err
	}
	if r.Status.Outcome != "" {
		return fmt.Errorf("the review of %s is over: %s", review.Name(r), r.Status.Outcome)
	}
	me, err := kube.WhoAmI(ctx, o.client)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(r.Spec.Decisions, func(d v1alpha1.Decision) bool { return d.Reviewer == me.Username }) {
		return fmt.Errorf("you have decided about %s already, and decisions are final: see kubectl approve show %s", o.Name, o.Name)
	}
	patch, err := addition(r, v1alpha1.Decision{
		Reviewer: me.Username, UID: me.UID, Groups: me.Groups, Verdict: o.Verdict, Message: o.Message,
	})
	if err != nil {
		return err
	}
	if err := o.client.Patch(ctx, r, patch); err != nil {
		return err
	}
	r, err = o.counted(ctx, r, me.Username)
	if err != nil {
		return err
	}
	return o.report(r, me.Username)
}

// addition is the patch that adds a decision at the end, so that two reviewers who
// race both land. Its test fails if the review was deleted and made again meanwhile.
func addition(r *v1alpha1.ApprovalReview, d v1alpha1.Decision) (client.Patch, error) {
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": r.UID},
		{"op": "add", "path": "/spec/decisions/-", "value": d},
	})
	if err != nil {
		return nil, err
	}
	return client.RawPatch(types.JSONPatchType, patch), nil
}

const (
	// patience is how long to wait for the manager to count.
	patience = 2 * time.Second
	// interval between two looks.
	interval = 50 * time.Millisecond
)

// counted waits until the manager has latched the decision, or has decided; after
// a while it returns what there is.
func (o *Options) counted(ctx context.Context, r *v1alpha1.ApprovalReview, reviewer string) (*v1alpha1.ApprovalReview, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for latch(r, reviewer) == nil && r.Status.Outcome == "" {
		select {
		case <-ctx.Done():
			return r, nil
		case <-time.After(interval):
		}
		now := &v1alpha1.ApprovalReview{}
		switch err := o.client.Get(ctx, client.ObjectKeyFromObject(r), now); {
		case ctx.Err() != nil:
			return r, nil
		case err != nil:
			return nil, fmt.Errorf("your decision is recorded, but not whether it counts: %w", err)
		}
		r = now
	}
	return r, nil
}

func latch(r *v1alpha1.ApprovalReview, reviewer string) *v1alpha1.LatchedDecision {
	for i, l := range r.Status.Latched {
		if l.Reviewer == reviewer {
			return &r.Status.Latched[i]
		}
	}
	return nil
}

// report says what became of the decision; one that does not count is an error.
func (o *Options) report(r *v1alpha1.ApprovalReview, reviewer string) error {
	name, done := review.Name(r), "approved"
	if o.Verdict == v1alpha1.VerdictDeny {
		done = "denied"
	}
	l := latch(r, reviewer)
	var line string
	switch {
	case l == nil && r.Status.Outcome == "":
		line = fmt.Sprintf("%s %s: recorded; the manager has not counted it yet, see kubectl approve show %s", name, done, name)
	case l == nil:
		return fmt.Errorf("your decision came too late: the review of %s is over, %s", name, r.Status.Outcome)
	case !l.Counted:
		return fmt.Errorf("your decision on %s is recorded but does not count: %s", name, l.Why)
	case r.Status.Outcome != "":
		line = fmt.Sprintf("%s %s: counted for seat %s; the review is over: %s", name, done, l.Seat, r.Status.Outcome)
	default:
		line = fmt.Sprintf("%s %s: counted for seat %s (%s)", name, done, l.Seat, more(r.Status.Missing))
	}
	_, err := fmt.Fprintln(o.Out, record.PrintableLine(line))
	return err
}

// more says what is still needed: "1 more needed: 1 of task-reviewer".
func more(missing []string) string {
	needed := 0
	for _, m := range missing {
		var n int
		if _, err := fmt.Sscanf(m, "%d of", &n); err == nil {
			needed += n
		}
	}
	if needed == 0 {
		return "held: see kubectl approve show"
	}
	return fmt.Sprintf("%d more needed: %s", needed, strings.Join(missing, ", "))
}
