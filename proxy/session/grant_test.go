package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// secretive is a grant with every secret that one can have.
func secretive(key sessiontest.Key) grant.State {
	state := granted()(key)
	state.Grant.PolicyDigest, state.Grant.Review, state.Grant.Outcome = "v1:sha256:ab", "pay-1423-review", "v1:sha256:cd"
	state.Grant.Postgres = &grant.PostgresUpstream{User: "upstream-user", Password: "pa55word", ClientKey: "k3y", ClientCertificate: "c3rt"}
	return state
}

func grantsOf(t *testing.T, task *sessiontest.Task, session string) (grants []*record.Grant, story []record.EventType) {
	t.Helper()
	events, err := task.Recordings.Events(session)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range events {
		story = append(story, event.Type)
		if event.Grant != nil {
			grants = append(grants, event.Grant)
		}
	}
	return grants, story
}

func TestWhatIsGrantedIsRecordedOnceAndWithoutACredential(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, secretive)
	s := task.Begin(t)
	silent := func(string) error { return nil }
	for range 2 {
		if err := s.AwaitGrant(t.Context(), silent); err != nil {
			t.Fatal(err)
		}
		task.Update(task.State()) // the manager's heartbeat
		if _, err := s.Admit(t.Context(), read("orders")); err != nil {
			t.Fatal(err)
		}
	}
	got, story := grantsOf(t, task, s.ID())
	if diff := cmp.Diff([]record.EventType{record.EventStart, record.EventGrant, record.EventOperation, record.EventOperation}, story); diff != "" {
		t.Fatal(diff)
	}
	g := got[0]
	if g.Policy != "orders-read" || g.Digest != "v1:sha256:ab" || g.Review != "pay-1423-review" || g.Outcome != "v1:sha256:cd" || !g.Deadline.Equal(task.State().Grant.Deadline) {
		t.Errorf("%+v", g)
	}
	for _, secret := range []string{"pa55word", "k3y", "c3rt", "upstream-user"} {
		if bytes.Contains(g.Text, []byte(secret)) {
			t.Errorf("%s is in the recording", secret)
		}
	}
	text, ok, err := g.Terms()
	if err != nil || !ok || text.Grant != nil {
		t.Fatalf("%+v, %v, %v", text, ok, err)
	}
	var spec v1alpha1.AccessPolicySpec
	if err := json.Unmarshal(text.Policy, &spec); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sessiontest.ReadOrders(), spec); diff != "" {
		t.Error(diff)
	}
}

func TestAChangedGrantIsRecordedBeforeTheNextOperation(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, secretive)
	s := task.Begin(t)
	if _, err := s.Admit(t.Context(), read("orders")); err != nil {
		t.Fatal(err)
	}
	state := task.State()
	later, own := *state.Grant, state.Grant.Policy.Grant
	later.Deadline, later.Reviewed = later.Deadline.Add(time.Hour), &v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}}
	state.Grant = &later
	task.Update(state)
	if _, err := s.Admit(t.Context(), read("orders")); err != nil {
		t.Fatal(err)
	}
	got, story := grantsOf(t, task, s.ID())
	if diff := cmp.Diff([]record.EventType{record.EventStart, record.EventGrant, record.EventOperation, record.EventGrant, record.EventOperation}, story); diff != "" {
		t.Fatal(diff)
	}
	text, ok, err := got[1].Terms()
	if err != nil || !ok || !got[1].Deadline.Equal(later.Deadline) {
		t.Fatalf("%+v, %v", got[1], err)
	}
	var narrowed v1alpha1.Grant
	if err := json.Unmarshal(text.Grant, &narrowed); err != nil || !cmp.Equal(narrowed, own) {
		t.Errorf("%s is not the narrowed grant: %v", text.Grant, err)
	}
	if !bytes.Contains(text.Policy, []byte(`"unrestricted":true`)) {
		t.Errorf("%s does not have the policy's own grant", text.Policy)
	}
}

func TestNothingPassesWhoseGrantCannotBeRecorded(t *testing.T) {
	t.Parallel()
	task := sessiontest.New(t, secretive)
	s := task.Begin(t)
	task.Recordings.Fail()
	if err := s.AwaitGrant(t.Context(), func(string) error { return nil }); err == nil || context.Cause(s.Context()) == nil {
		t.Errorf("%v, and the session goes on", err)
	}
}
