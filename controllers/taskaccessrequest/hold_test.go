package taskaccessrequest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
)

// holds makes the world's policy one that holds and gates, before anything matched it.
func (w *world) holds(change ...func(*v1alpha1.AccessPolicySpec)) *Provider {
	w.t.Helper()
	w.policy.Spec.Rules = []v1alpha1.Rule{
		{Name: "no-where", When: "!action.hasWhere", Effect: v1alpha1.EffectHold},
		{Name: "gate", When: "true", Effect: v1alpha1.EffectHoldCommit},
	}
	for _, apply := range change {
		apply(&w.policy.Spec)
	}
	w.must(w.admin.Update(w.t.Context(), w.policy))
	w.policy.Status.Conditions = ready(w.policy.Generation)
	w.must(w.admin.Status().Update(w.t.Context(), w.policy))
	w.approve()
	return w.provide()
}

func heldStatement(n int) v1alpha1.HeldOperation {
	return v1alpha1.HeldOperation{
		ID: fmt.Sprintf("0197-s/%d", n), Point: v1alpha1.HoldAtStatement, Digest: strings.Repeat("ab", 32), Rule: "no-where",
		Kind: "update", Text: "UPDATE orders SET paid = true", Values: []string{"'7'"}, Writes: []string{"public.orders"},
	}
}

func (w *world) open(p *Provider, held v1alpha1.HeldOperation) (control.HoldState, error) {
	return p.OpenHold(w.t.Context(), string(w.request.UID), held)
}

func (w *world) mustOpen(p *Provider, held v1alpha1.HeldOperation) control.HoldState {
	w.t.Helper()
	state, err := w.open(p, held)
	w.must(err)
	return state
}

func (w *world) heldNow(p *Provider, held v1alpha1.HeldOperation) (control.HoldState, error) {
	return p.HoldState(w.t.Context(), string(w.request.UID), held.ID, held.Point)
}

func (w *world) reviewNamed(name string) *v1alpha1.ApprovalReview {
	w.t.Helper()
	review := &v1alpha1.ApprovalReview{}
	w.must(w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.request.Namespace, Name: name}, review))
	return review
}

func (w *world) answer(name string, outcome v1alpha1.Outcome, message string) {
	w.t.Helper()
	review := w.reviewNamed(name)
	verdict := v1alpha1.VerdictApprove
	if outcome == v1alpha1.OutcomeDenied {
		verdict = v1alpha1.VerdictDeny
	}
	review.Spec.Decisions = []v1alpha1.Decision{{Reviewer: "alice", Verdict: verdict, Message: message}}
	w.must(w.admin.Update(w.t.Context(), review))
	review.Status.Outcome = outcome
	review.Status.Latched = []v1alpha1.LatchedDecision{{Reviewer: "alice", At: metav1.Now(), Verdict: verdict, Counted: true, Seat: "dba"}}
	w.must(w.admin.Status().Update(w.t.Context(), review))
}

func wantRefused(t *testing.T, err error, words string) {
	t.Helper()
	if !errors.Is(err, control.ErrHoldRefused) || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want a refusal that says %q", err, words)
	}
}

func TestAHeldOperationBecomesAReviewOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.holds()
	held := heldStatement(1)
	state := w.mustOpen(p, held)
	if state.Review != heldReviewName(w.request, held.ID, held.Point) || state.Digest != held.Digest || state.Outcome != "" || state.Message == "" {
		t.Errorf("%+v", state)
	}
	review := w.reviewNamed(state.Review)
	q, granted := review.Spec.Question, w.reviewNamed(w.request.Status.Review).Spec.Question
	if q.Subject.Kind != v1alpha1.SubjectStatement || q.Subject.Held.Text != held.Text || q.Subject.Held.Values[0] != "'7'" ||
		q.Subject.Request != granted.Subject.Request || q.Policy != granted.Policy || q.Target != granted.Target ||
		q.Requester.Username != w.request.Spec.Requester.Username || q.Reason != "wrong totals" || q.Requirements[0].Name != "dba" {
		t.Errorf("%+v", q)
	}
	if left := time.Until(q.ExpiresAt.Time); left < 298*time.Second || left > 300*time.Second {
		t.Errorf("it expires in %s, want the policy's 300 s", left)
	}
	if len(review.OwnerReferences) != 1 || review.OwnerReferences[0].UID != w.request.UID || review.Labels[v1alpha1.LabelRequestUID] != string(w.request.UID) {
		t.Errorf("%+v", review.ObjectMeta)
	}
	if again := w.mustOpen(p, held); again != state {
		t.Errorf("asked again: %+v, then %+v", state, again)
	}

	w.answer(state.Review, v1alpha1.OutcomeApproved, "fine")
	got, err := w.heldNow(p, held)
	if err != nil || got.Outcome != v1alpha1.OutcomeApproved || got.Digest != held.Digest || got.Message != "approved by alice (dba)" {
		t.Errorf("%+v, %v", got, err)
	}
	second := w.mustOpen(p, heldStatement(2))
	w.answer(second.Review, v1alpha1.OutcomeDenied, "use the replica")
	if got, err := w.heldNow(p, heldStatement(2)); err != nil || got.Message != "alice: use the replica" {
		t.Errorf("%+v, %v", got, err)
	}
	w.settle()
	w.expect(v1alpha1.ReasonActive)
}

func TestAHeldOperationExpiresNoLaterThanItsTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.holds(func(s *v1alpha1.AccessPolicySpec) { s.Hold.TimeoutSeconds = 3600 })
	q := w.reviewNamed(w.mustOpen(p, heldStatement(1)).Review).Spec.Question
	if !q.ExpiresAt.Equal(w.request.Status.ExpiresAt) {
		t.Errorf("it expires at %s, the task at %s", q.ExpiresAt, w.request.Status.ExpiresAt)
	}
}

func TestPG8_WhatThePolicyDoesNotHoldIsNotPutBeforeReviewers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.holds()
	for name, test := range map[string]struct {
		change func(*v1alpha1.HeldOperation)
		words  string
	}{
		"a rule that is none":      {func(h *v1alpha1.HeldOperation) { h.Rule = "mine" }, `no rule "mine" with effect Hold`},
		"a gate for a statement":   {func(h *v1alpha1.HeldOperation) { h.Rule = "gate" }, `no rule "gate" with effect Hold`},
		"a rule of statements":     {func(h *v1alpha1.HeldOperation) { h.Point = v1alpha1.HoldAtCommit }, `no rule "no-where" with effect HoldCommit`},
		"more text than a review":  {func(h *v1alpha1.HeldOperation) { h.Text = strings.Repeat("x", control.MaxHeldText) }, "a review shows at most"},
		"what the schema refuses":  {func(h *v1alpha1.HeldOperation) { h.Kind = strings.Repeat("x", 64) }, "the review cannot be stored"},
		"a name that no proxy has": {func(h *v1alpha1.HeldOperation) { h.ID = "x" }, "it has no name"},
	} {
		held := heldStatement(1)
		test.change(&held)
		_, err := w.open(p, held)
		t.Log(name)
		wantRefused(t, err, test.words)
	}
	held := heldStatement(1)
	w.mustOpen(p, held)
	held.Digest = strings.Repeat("cd", 32)
	_, err := w.open(p, held)
	wantRefused(t, err, "another operation of this name")
}

func TestOnlyAGrantedTaskHolds(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"closed": (*world).closeRequest,
		"policy edited": func(w *world) {
			w.policy.Spec.Session.MaxConcurrent = 9
			w.must(w.admin.Update(w.t.Context(), w.policy))
		},
		"target gone": func(w *world) { w.must(w.admin.Delete(w.t.Context(), w.target)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.holds()
			state := w.mustOpen(p, heldStatement(1))
			w.answer(state.Review, v1alpha1.OutcomeApproved, "")
			change(w)
			_, err := w.heldNow(p, heldStatement(1))
			wantRefused(t, err, "the request is not granted")
			_, err = w.open(p, heldStatement(2))
			wantRefused(t, err, "the request is not granted")
		})
	}
	w := newWorld(t)
	w.settle()
	_, err := w.open(w.provide(), heldStatement(1))
	wantRefused(t, err, "the request is not granted")
}

func TestHeldOperationsOfATaskAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.holds(func(s *v1alpha1.AccessPolicySpec) { s.Hold.MaxOpen = 3 })
	var group sync.WaitGroup
	failures := make([]error, 8)
	for i := range failures {
		group.Go(func() { _, failures[i] = w.open(p, heldStatement(i)) })
	}
	group.Wait()
	opened := 0
	for _, err := range failures {
		if err == nil {
			opened++
		} else {
			wantRefused(t, err, "3 operations of this task are before their reviewers already")
		}
	}
	if opened != 3 {
		t.Errorf("%d were opened, want 3", opened)
	}
}

func TestReviewsThatAreOverMakeRoomTheOldestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.holds()
	first := w.mustOpen(p, heldStatement(0))
	w.answer(first.Review, v1alpha1.OutcomeDenied, "no")
	template := w.reviewNamed(first.Review)
	for i := range maxHeldReviews - 1 {
		review := newReview(w.request, fmt.Sprintf("over-%d", i), *template.Spec.Question.DeepCopy())
		w.must(w.admin.Create(t.Context(), review))
		review.Status.Outcome = v1alpha1.OutcomeDenied
		w.must(w.admin.Status().Update(t.Context(), review))
	}
	w.mustOpen(p, heldStatement(1))
	list := &v1alpha1.ApprovalReviewList{}
	w.must(w.admin.List(t.Context(), list, client.InNamespace(w.request.Namespace)))
	// The request's own is one more.
	if got := len(list.Items); got != maxHeldReviews+1 {
		t.Errorf("%d reviews are kept, want %d", got, maxHeldReviews+1)
	}
	w.settle()
	w.expect(v1alpha1.ReasonActive)
}

func TestAHeldOperationIsWithdrawnByItsMark(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.holds()
	held := heldStatement(1)
	uid := string(w.request.UID)
	if found, err := p.Withdraw(t.Context(), uid, held.ID, held.Point); found || err != nil {
		t.Errorf("before it was opened: %t, %v", found, err)
	}
	state := w.mustOpen(p, held)
	for range 2 {
		if found, err := p.Withdraw(t.Context(), uid, held.ID, held.Point); !found || err != nil {
			t.Errorf("%t, %v", found, err)
		}
	}
	if w.reviewNamed(state.Review).Annotations[v1alpha1.AnnotationWithdrawn] == "" {
		t.Error("it is not marked")
	}
	if found, err := p.Withdraw(t.Context(), uid, held.ID, v1alpha1.HoldAtCommit); found || err != nil {
		t.Errorf("at another point: %t, %v", found, err)
	}
}

func TestCRASH_AManagerThatDiesBeforeItAnswersLeavesOneReview(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		w := newWorld(t)
		p := w.holds()
		dying := w.provide()
		dying.Client = uidClient{Client: (&mortal{left: 1, after: after}).client(t, w), w: w}
		if _, err := w.open(dying, heldStatement(1)); !errors.Is(err, errKilled) {
			t.Fatalf("%v, want that the manager was killed", err)
		}
		state := w.mustOpen(p, heldStatement(1))
		list := &v1alpha1.ApprovalReviewList{}
		w.must(w.admin.List(t.Context(), list, client.InNamespace(w.request.Namespace)))
		if len(list.Items) != 2 || state.Outcome != "" {
			t.Errorf("%d reviews, want the request's and the operation's", len(list.Items))
		}
	}
}

func TestTheEndOfAHeldOperationsReviewEndsNoTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.holds()
	state := w.mustOpen(p, heldStatement(1))
	w.answer(state.Review, v1alpha1.OutcomeDenied, "no")
	w.must(w.admin.Delete(t.Context(), w.reviewNamed(state.Review)))
	w.settle()
	w.expect(v1alpha1.ReasonActive)
	if now := w.phase(p); now.Phase != grant.Granted {
		t.Errorf("the proxy is told %s", now.Phase)
	}
	_, err := w.heldNow(p, heldStatement(1))
	wantRefused(t, err, "its review is gone")
}

func TestAnUnrestrictedGrantIsForTargetsWithALoginOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.Spec.Grant.Postgres = &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}
	w.must(w.admin.Update(t.Context(), w.policy))
	w.policy.Status.Conditions = ready(w.policy.Generation)
	w.must(w.admin.Status().Update(t.Context(), w.policy))
	w.settle()
	w.expect(v1alpha1.ReasonInvalid)
	if message := describe(meta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionReady)); !strings.Contains(message, "is for targets with credential Static") {
		t.Error(message)
	}
	if w.request.Status.Review != "" {
		t.Errorf("review %s was opened", w.request.Status.Review)
	}
	static := w.target.DeepCopy()
	static.Spec.Postgres.Credential = v1alpha1.CredentialStatic
	if why := unfit(w.policy.Spec.Grant, w.policy, static); why != "" {
		t.Error(why)
	}
}

func TestALoginHasAConnectionForEachSessionsLooks(t *testing.T) {
	t.Parallel()
	spec := v1alpha1.AccessPolicySpec{Session: v1alpha1.SessionPolicy{MaxConcurrent: 4}}
	if got := connections(spec); got != 4 {
		t.Errorf("%d, want 4", got)
	}
	spec.Masking = &v1alpha1.MaskingPolicy{}
	if got := connections(spec); got != 8 {
		t.Errorf("%d, want 8", got)
	}
	spec.Masking, spec.Rules = nil, []v1alpha1.Rule{{Effect: v1alpha1.EffectHoldCommit}}
	if got := connections(spec); got != 8 {
		t.Errorf("%d, want 8", got)
	}
}
