package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// hold grants a policy that holds every operation.
func (b *bench) hold() {
	b.grant(func(p *v1alpha1.AccessPolicySpec) { *p = sessiontest.Holding(*p, v1alpha1.EffectHold) })
}

// begin runs an operation that will be held, and returns it with what becomes of it.
func (b *bench) begin(t *testing.T, client Client, text string) (*sessiontest.Held, <-chan error) {
	t.Helper()
	held, done := b.beginAgain(t, client, text)
	if !strings.Contains(held.Operation.Text, text) || held.Operation.Point != v1alpha1.HoldAtStatement || held.Operation.Rule != "look-first" {
		t.Errorf("the reviewers are asked about %+v", held.Operation)
	}
	b.awaitNotice(t, held.Review)
	if b.Reached(text) {
		t.Errorf("%s reached the target while it was held", text)
	}
	return held, done
}

func ended(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("the client waits for ever")
		return nil
	}
}

// refused says that the client was told every word, and the target nothing.
func (b *bench) refused(t *testing.T, err error, text string, words ...string) {
	t.Helper()
	if err == nil || b.Reached(text) {
		t.Fatalf("%s was not refused: %v", text, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the client is not told %q: %v", word, err)
		}
	}
}

// goesOn says that the session is usable: its next operation is held, approved, and run.
func (b *bench) goesOn(t *testing.T, client Client) {
	t.Helper()
	held, done := b.begin(t, client, b.Operations().AllowedToo)
	held.Approve()
	if err := ended(t, done); err != nil || !b.Reached(b.Operations().AllowedToo) {
		t.Errorf("the session does not go on: %v", err)
	}
}

func holdStopsOneOperation(t *testing.T, b *bench) {
	b.hold()
	first, second := b.connect(t), b.connect(t)
	held, done := b.begin(t, first, b.Operations().Allowed)
	b.goesOn(t, second)
	if b.Reached(b.Operations().Allowed) {
		t.Error("the approval of another operation released this one")
	}
	held.Approve()
	if err := ended(t, done); err != nil {
		t.Error(err)
	}
}

func approvalReleases(t *testing.T, b *bench) {
	b.hold()
	client := b.connect(t)
	held, done := b.begin(t, client, b.Operations().Allowed)
	held.Approve()
	if err := ended(t, done); err != nil || !b.Reached(b.Operations().Allowed) {
		t.Errorf("it was approved, and did not run: %v", err)
	}
	b.task.Reviewers.None(t)
	// The same text again is another operation.
	again, done := b.beginAgain(t, client, b.Operations().Allowed)
	if again.Operation.ID == held.Operation.ID {
		t.Error("two operations have one name")
	}
	again.Approve()
	if err := ended(t, done); err != nil {
		t.Error(err)
	}
}

// beginAgain is begin for a text that has reached the target before.
func (b *bench) beginAgain(t *testing.T, client Client, text string) (*sessiontest.Held, <-chan error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- client.Do(text) }()
	return b.task.Reviewers.Next(t), done
}

func denialRefuses(t *testing.T, b *bench) {
	b.hold()
	client := b.connect(t)
	held, done := b.begin(t, client, b.Operations().Allowed)
	held.Deny("denied by alice: use the replica")
	b.refused(t, ended(t, done), b.Operations().Allowed, "look-first", "use the replica", held.Review)
	b.goesOn(t, client)
}

func cancelWithdraws(t *testing.T, b *bench) {
	b.hold()
	client := b.connect(t)
	canceller, ok := client.(Canceller)
	if !ok {
		t.Fatal("the driver's client is no Canceller: an engine that holds must let go")
	}
	held, done := b.begin(t, client, b.Operations().Allowed)
	if err := canceller.Cancel(); err != nil {
		t.Fatal(err)
	}
	b.refused(t, ended(t, done), b.Operations().Allowed)
	held.AwaitWithdrawn(t)
	b.goesOn(t, client)
}

func leavingWithdraws(t *testing.T, b *bench) {
	b.hold()
	client := b.connect(t)
	held, done := b.begin(t, client, b.Operations().Allowed)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	held.AwaitWithdrawn(t)
	b.refused(t, ended(t, done), b.Operations().Allowed)
}

func timeoutRefuses(t *testing.T, b *bench) {
	b.hold()
	client := b.connect(t)
	held, done := b.begin(t, client, b.Operations().Allowed)
	held.Expire()
	b.refused(t, ended(t, done), b.Operations().Allowed, "look-first", "nobody answered in time")
	b.goesOn(t, client)
}

func otherDigestReleasesNothing(t *testing.T, b *bench) {
	b.hold()
	client := b.connect(t)
	held, done := b.begin(t, client, b.Operations().Allowed)
	held.Answer(control.HoldState{
		Review: held.Review, Outcome: v1alpha1.OutcomeApproved, Digest: strings.Repeat("0", len(held.Operation.Digest)),
	})
	b.refused(t, ended(t, done), b.Operations().Allowed, "about another operation")
	b.goesOn(t, client)
}

func endWithdraws(t *testing.T, b *bench) {
	b.hold()
	client := b.connect(t)
	held, done := b.begin(t, client, b.Operations().Allowed)
	b.task.Update(sessiontest.Ended(b.task.Key))
	held.AwaitWithdrawn(t)
	b.refused(t, ended(t, done), b.Operations().Allowed)
	if err := client.Closed(); err != nil {
		t.Error(err)
	}
}
