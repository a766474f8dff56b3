package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func holding(change ...func(*v1alpha1.AccessPolicySpec)) func(sessiontest.Key) grant.State {
	spec := sessiontest.Holding(sessiontest.ReadOrders(), v1alpha1.EffectHold)
	for _, apply := range change {
		apply(&spec)
	}
	return sessiontest.Granted(spec, nil)
}

// held is read of an engine that can wait.
func held(relation string) session.Operation {
	operation := read(relation)
	operation.Hold = &session.Hold{}
	return operation
}

type admitted struct {
	session.Admission
	err error
}

func admit(t *testing.T, s *session.Session, operation session.Operation) <-chan admitted {
	t.Helper()
	done := make(chan admitted, 1)
	go func() {
		admission, err := s.Admit(t.Context(), operation)
		done <- admitted{admission, err}
	}()
	return done
}

func wantRefusal(t *testing.T, err error, words ...string) {
	t.Helper()
	var refusal *session.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("not refused: %v", err)
	}
	for _, word := range words {
		if !strings.Contains(refusal.Error(), word) {
			t.Errorf("the refusal does not say %q: %v", word, refusal)
		}
	}
}

func TestAHeldOperationIsRecordedFromHoldToVerdict(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	s := task.Begin(t)
	operation := held("orders")
	operation.Values = []policy.Value{{Text: "7"}, {Null: true}}
	operation.Literals = []string{"'7'", "NULL"}
	operation.Hold.Describe = func(_ context.Context, h *v1alpha1.HeldOperation) {
		h.Preview, h.EstimatedRows = "by the planner", new(int64(12))
		h.Digest, h.Rule = "forged", "forged"
	}
	done := admit(t, s, operation)
	review := task.Reviewers.Next(t)
	want := v1alpha1.HeldOperation{
		ID: s.ID() + "/1", Point: v1alpha1.HoldAtStatement, Digest: review.Operation.Digest, Rule: "look-first",
		Message: "two pairs of eyes", Kind: "select", Text: "SELECT * FROM orders", Values: []string{"'7'", "NULL"},
		Reads: []string{"public.orders"}, Preview: "by the planner", EstimatedRows: new(int64(12)),
	}
	if diff := cmp.Diff(want, review.Operation); diff != "" || len(review.Operation.Digest) != 64 {
		t.Error(diff)
	}
	review.Approve()
	if got := <-done; got.err != nil || got.Operation != 1 || got.Effect != v1alpha1.EffectAllow || got.Rule != "look-first" {
		t.Errorf("%+v", got)
	}
	events, err := task.Recordings.Events(s.ID())
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	for _, event := range events {
		line := string(event.Type)
		if event.Hold != nil {
			line += " " + event.Hold.Review + " " + event.Hold.Outcome
		}
		if event.Verdict != nil {
			line += " " + event.Verdict.Effect + ": " + event.Verdict.Message
		}
		story = append(story, line)
	}
	if diff := cmp.Diff([]string{
		"session.start", "grant", "operation", "hold " + review.Review + " ", "hold " + review.Review + " Approved",
		"verdict Allow: review " + review.Review + ": approved by alice (dba)",
	}, story); diff != "" {
		t.Error(diff)
	}
}

func TestPG8_TheDigestTellsEveryByteApart(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	s := task.Begin(t)
	digests := map[string]string{}
	for name, values := range map[string][]policy.Value{
		"none": nil, "empty": {{}}, "null": {{Null: true}}, "binary": {{Binary: true}}, "two": {{}, {}},
		"ab c": {{Text: "ab"}, {Text: "c"}}, "a bc": {{Text: "a"}, {Text: "bc"}},
	} {
		operation := held("orders")
		operation.Values, operation.Literals = values, make([]string, len(values))
		done := admit(t, s, operation)
		review := task.Reviewers.Next(t)
		if other, taken := digests[review.Operation.Digest]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		digests[review.Operation.Digest] = name
		review.Deny("no")
		wantRefusal(t, (<-done).err, "denied by its reviewers: no")
	}
}

func TestWhatCannotBeHeldIsDeniedInWords(t *testing.T) {
	t.Parallel()
	long, many, unshown, effects := held("orders"), held("orders"), held("orders"), held("orders")
	long.Text = strings.Repeat("x", control.MaxHeldText+1)
	many.Values, many.Literals = make([]policy.Value, 300), make([]string, 300)
	unshown.Values = make([]policy.Value, 1)
	effects.Hold.Describe = func(_ context.Context, h *v1alpha1.HeldOperation) { h.Effects = make([]v1alpha1.RelationEffect, 65) }
	for name, test := range map[string]struct {
		operation session.Operation
		words     string
	}{
		"an engine that cannot wait": {read("orders"), "cannot be held here"},
		"text that is too long":      {long, "text and values have 16385 bytes, and a review shows at most 16384"},
		"too many values":            {many, "it has 300 values"},
		"values without a form":      {unshown, "its values cannot be shown"},
		"too many effects":           {effects, "it changes 65 relations"},
	} {
		task := sessiontest.New(t, holding())
		_, err := task.Begin(t).Admit(t.Context(), test.operation)
		t.Log(name)
		wantRefusal(t, err, test.words, "look-first")
		task.Reviewers.None(t)
	}
	task := sessiontest.New(t, holding(), func(o *session.Options) { o.Hold = nil })
	_, err := task.Begin(t).Admit(t.Context(), held("orders"))
	wantRefusal(t, err, "no manager that could ask its reviewers")
}

func TestATaskHasNoMoreHeldOperationsThanItsPolicyAllows(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding(func(p *v1alpha1.AccessPolicySpec) { p.Hold.MaxOpen = 1 }))
	first := admit(t, task.Begin(t), held("orders"))
	review := task.Reviewers.Next(t)
	second := task.Begin(t)
	_, err := second.Admit(t.Context(), held("orders"))
	wantRefusal(t, err, "the task has 1 operations before its reviewers already")
	review.Approve()
	if got := <-first; got.err != nil {
		t.Fatal(got.err)
	}
	again := admit(t, second, held("orders"))
	task.Reviewers.Next(t).Approve()
	if got := <-again; got.err != nil {
		t.Error(got.err)
	}
}

func TestAnApprovalAnswersForTheRuleThatWasAskedAboutAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*v1alpha1.AccessPolicySpec)
		words  string
	}{
		"another rule holds it now": {func(p *v1alpha1.AccessPolicySpec) { p.Rules[0].Name = "look-harder" }, "the policy has changed while it was held"},
		"a rule denies it now":      {func(p *v1alpha1.AccessPolicySpec) { p.Rules[0].Effect = v1alpha1.EffectDeny }, "two pairs of eyes"},
		"the grant is another":      {func(p *v1alpha1.AccessPolicySpec) { p.Grant.Postgres.Relations[0].Name = "customers" }, "ask for access"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task := sessiontest.New(t, holding())
			done := admit(t, task.Begin(t), held("orders"))
			review := task.Reviewers.Next(t)
			task.Update(holding(test.change)(task.Key))
			review.Approve()
			wantRefusal(t, (<-done).err, test.words)
		})
	}
}

func TestAnApprovalForATaskThatIsOverReleasesNothing(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	s := task.Begin(t)
	task.Recordings.OnWrite(func(data []byte) {
		if strings.Contains(string(data), `"outcome":"Approved"`) {
			task.Update(sessiontest.Ended(task.Key))
		}
	})
	done := admit(t, s, held("orders"))
	task.Reviewers.Next(t).Approve()
	if got := <-done; !errors.Is(got.err, session.ErrEnded) {
		t.Errorf("%+v", got)
	}
}

func TestAnOperationThatIsHeldAndGatedIsGatedWhenItIsReleased(t *testing.T) {
	t.Parallel()
	both := holding(func(p *v1alpha1.AccessPolicySpec) {
		p.Rules = append(p.Rules, v1alpha1.Rule{Name: "gate", When: "true", Effect: v1alpha1.EffectHoldCommit, Message: "show the effect"})
	})
	task := sessiontest.New(t, both)
	operation := held("orders")
	operation.InTransaction = true
	done := admit(t, task.Begin(t), operation)
	task.Reviewers.Next(t).Approve()
	if got := <-done; got.err != nil || got.Effect != v1alpha1.EffectHoldCommit || got.Rule != "gate" || got.Message != "show the effect" {
		t.Errorf("%+v", got)
	}
}

func TestACommitWaitsForReviewersWhoSeeItsEffects(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	s := task.Begin(t)
	question := v1alpha1.HeldOperation{Kind: "commit", Text: "COMMIT"}
	ask := func(updated int64) (*sessiontest.Held, <-chan error) {
		done := make(chan error, 1)
		go func() {
			done <- s.AwaitCommit(t.Context(), 3, "gate", "show the effect", question, session.Hold{
				Describe: func(_ context.Context, h *v1alpha1.HeldOperation) {
					h.Effects = []v1alpha1.RelationEffect{{Relation: "public.orders", Updated: updated}}
				},
			})
		}()
		return task.Reviewers.Next(t), done
	}
	first, done := ask(1)
	if got := first.Operation; got.ID != s.ID()+"/3" || got.Point != v1alpha1.HoldAtCommit || got.Rule != "gate" || got.Effects[0].Updated != 1 {
		t.Errorf("%+v", got)
	}
	first.Approve()
	if err := <-done; err != nil {
		t.Error(err)
	}
	second, done := ask(2)
	if second.Operation.Digest == first.Operation.Digest {
		t.Error("other effects have the same digest")
	}
	second.Deny("not two")
	wantRefusal(t, <-done, "rule gate", "not two")
	third, done := ask(2)
	third.Answer(control.HoldState{Outcome: v1alpha1.OutcomeApproved, Digest: first.Operation.Digest})
	wantRefusal(t, <-done, "about another operation")
	fourth, done := ask(2)
	task.Update(sessiontest.Ended(task.Key))
	fourth.AwaitWithdrawn(t)
	if err := <-done; !errors.Is(err, session.ErrEnded) {
		t.Error(err)
	}
}

func TestImagesThatAreTooLongAreLeftOut(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	operation := held("orders")
	operation.Hold.Describe = func(_ context.Context, h *v1alpha1.HeldOperation) {
		h.Effects = []v1alpha1.RelationEffect{{Relation: "public.orders", Updated: 50}, {Relation: "public.customers", Updated: 1}}
		for range 50 {
			h.Effects[0].Images = append(h.Effects[0].Images, v1alpha1.RowImage{Before: strings.Repeat("b", 2000), After: strings.Repeat("a", 2000)})
		}
	}
	done := admit(t, task.Begin(t), operation)
	review := task.Reviewers.Next(t)
	effect := review.Operation.Effects[0]
	if len(effect.Images) != 12 || effect.Updated != 50 || effect.Note != "only 12 changed rows are shown: more would be too long" {
		t.Errorf("%d images, %d updated, %q", len(effect.Images), effect.Updated, effect.Note)
	}
	review.Approve()
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
}

func TestAClientThatCannotBeToldHasLeft(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	gone := errors.New("broken pipe")
	operation := held("orders")
	operation.Hold.Tell = func(string) error { return gone }
	done := admit(t, task.Begin(t), operation)
	task.Reviewers.Next(t).AwaitWithdrawn(t)
	if got := <-done; !errors.Is(got.err, gone) {
		t.Error(got.err)
	}
}

// An approval is for now: a client that does not read what it is told cannot put it by.
func TestAnApprovalIsNotKeptForAClientThatListensLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		task := sessiontest.New(t, holding(func(p *v1alpha1.AccessPolicySpec) { p.Hold.TimeoutSeconds = 60 }))
		operation, listens := held("orders"), make(chan struct{})
		operation.Hold.Tell = func(string) error { <-listens; return nil }
		done := admit(t, task.Begin(t), operation)
		task.Reviewers.Next(t).Approve()
		time.Sleep(5 * time.Minute)
		close(listens)
		wantRefusal(t, (<-done).err, "nobody answered in time")
	})
}

func TestTheReviewersSeeWhatDetectorsMask(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding(func(p *v1alpha1.AccessPolicySpec) {
		p.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "mail", Detect: v1alpha1.DetectEmail}}}
	}))
	s := task.Begin(t)
	if !s.Masks().Detects() {
		t.Fatal("the session does not know the policy's masks")
	}
	operation := held("orders")
	operation.Text += " -- carol@example.com"
	operation.Values = []policy.Value{{Text: "bob@example.com"}, {Binary: true, Text: "bob@example.com"}}
	operation.Literals = []string{"'bob@example.com'", `'\x626f62406578616d706c652e636f6d'`}
	done := admit(t, s, operation)
	review := task.Reviewers.Next(t)
	shown := review.Operation.Text + strings.Join(review.Operation.Values, " ")
	for _, secret := range []string{"carol@", "bob@", "626f62"} {
		if strings.Contains(shown, secret) {
			t.Errorf("the reviewers are shown %s: %s", secret, shown)
		}
	}
	review.Approve()
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
}

func TestAHoldThatTheManagerRefusesIsDeniedInItsWords(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding(), func(o *session.Options) {
		o.Hold = func(context.Context, v1alpha1.HeldOperation, func(control.HoldState)) (control.HoldState, error) {
			return control.HoldState{}, errors.Join(control.ErrHoldRefused, errors.New("the request is over"))
		}
	})
	_, err := task.Begin(t).Admit(t.Context(), held("orders"))
	wantRefusal(t, err, "the operation cannot be held", "the request is over")
}

func TestNobodyIsAskedAboutWhatIsCancelledWhileItIsDescribed(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	cancelled := make(chan struct{})
	operation := held("orders")
	operation.Hold.Cancelled = cancelled
	operation.Hold.Describe = func(context.Context, *v1alpha1.HeldOperation) { close(cancelled) }
	if _, err := task.Begin(t).Admit(t.Context(), operation); !errors.Is(err, session.ErrWithdrawn) {
		t.Error(err)
	}
	task.Reviewers.None(t)
}

func TestASessionThatWaitsForReviewersIsNotIdle(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding(func(p *v1alpha1.AccessPolicySpec) { p.Session.IdleSeconds = 1 }))
	waiting, idle := task.Begin(t), task.Begin(t)
	done := admit(t, waiting, held("orders"))
	review := task.Reviewers.Next(t)
	<-idle.Context().Done()
	review.Approve()
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
}

func TestASessionIsNotLockedWhileAnOperationIsHeld(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, holding())
	s := task.Begin(t)
	done := admit(t, s, held("orders"))
	review := task.Reviewers.Next(t)
	if err := s.Result(t.Context(), record.Result{Operation: 1, Tag: "SELECT 1"}); err != nil {
		t.Error(err)
	}
	review.Approve()
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
}
