package evidence_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record"
)

// terms is the grant that the world's proxy was told, with the policy of now.
func (w *world) terms(t *testing.T) *record.Grant {
	t.Helper()
	spec, err := json.Marshal(w.Policy.Spec)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(record.GrantText{Policy: spec})
	if err != nil {
		t.Fatal(err)
	}
	return &record.Grant{
		Policy: w.Policy.Name, Digest: digest.Policy(w.Policy), Deadline: moment(41).Time,
		Review: w.Reviews[0].Name, Outcome: digest.Review(&w.Reviews[0]), Text: text,
	}
}

// enforce records a session that begins with this grant.
func (w *world) enforce(t *testing.T, signed bool, g *record.Grant, recipients ...age.Recipient) {
	t.Helper()
	w.record(t, "0195-g", signed, recipients, record.Event{Type: record.EventGrant, Grant: g}, record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left"}})
}

func TestARecordingBearsWitnessOfThePolicyAndTheReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enforce(t, true, w.terms(t))
	bundle := open(t, w.bundle(t))
	result := check(t, bundle, trusted())
	if got := said(result, evidence.OK); result.Level() != evidence.OK || !strings.Contains(got, "enforced: 1 signed recording") {
		t.Errorf("%s%s%s", got, said(result, evidence.Gap), said(result, evidence.Failed))
	}
	report := unpack(t, w.bundle(t))["report.md"]
	if !strings.Contains(string(report), "the text that was reviewed") || !strings.Contains(string(report), "recorded and signed") {
		t.Error("the report does not say which text was enforced")
	}
}

func TestAPolicyThatWasEditedAfterwardsIsProvedByTheRecordedOne(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"edited": func(w *world) { w.Policy = w.Policy.DeepCopy(); w.Policy.Spec.Rules = nil },
		"gone":   func(w *world) { w.Policy = nil },
	} {
		w := newWorld(t)
		w.enforce(t, true, w.terms(t))
		change(w)
		content := unpack(t, w.bundle(t))
		result := check(t, content.fs(), trusted())
		if got := said(result, evidence.OK); result.Level() != evidence.OK || !strings.Contains(got, "policy: orders-fix is not now what reviewers saw; that text was enforced, and is in the recording of session 0195-g") {
			t.Errorf("%s: %s%s%s", name, got, said(result, evidence.Gap), said(result, evidence.Failed))
		}
		if report := string(content["report.md"]); !strings.Contains(report, "This text was enforced, as the recording of session 0195-g says") || !strings.Contains(report, "no-where") {
			t.Errorf("%s: the report does not show what was enforced", name)
		}
		// The reviewers that it asks for are counted by that text again.
		edit(t, content, "reviews/request.json", func(r *v1alpha1.ApprovalReview) { r.Spec.Question.Requirements = r.Spec.Question.Requirements[:1] })
		content.list(t)
		if got := said(check(t, content.fs(), trusted()), evidence.Failed); !strings.Contains(got, "it does not ask for the reviewers that the policy asks for") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestARequestThatNarrowsItsGrantIsProvedByThePolicysOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Policy.Spec.Grant = v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}}
	narrowed := v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Relations: []v1alpha1.RelationGrant{{
		Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect},
	}}}}
	w.Request.Spec.Grant = &narrowed
	w.bind()
	requirements := w.Reviews[0].Spec.Question.Requirements
	w.review(requirements)
	for i := range w.Reviews {
		w.Reviews[i].Spec.Question.Grant = narrowed
	}
	terms := w.terms(t)
	text, _, err := terms.Terms()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		grant any
		want  evidence.Level
	}{
		"narrowed": {narrowed, evidence.OK}, "not narrowed": {nil, evidence.Failed}, "another": {v1alpha1.Grant{}, evidence.Failed},
	} {
		now := *w
		text.Grant = nil
		if test.grant != nil {
			if text.Grant, err = json.Marshal(test.grant); err != nil {
				t.Fatal(err)
			}
		}
		if terms.Text, err = json.Marshal(text); err != nil {
			t.Fatal(err)
		}
		now.Request = w.Request.DeepCopy()
		now.enforce(t, true, terms)
		result := check(t, open(t, now.bundle(t)), trusted())
		if result.Level() != test.want {
			t.Errorf("%s: %s%s", name, said(result, evidence.Gap), said(result, evidence.Failed))
		}
	}
}

// What the API server, or whoever makes a bundle, tells afterwards must be what the signed
// recording says.
func TestAnInventedPolicyOrReviewIsContradictedByTheRecording(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*testing.T, *world)
		says   string
	}{
		"another policy, bound anew": {func(_ *testing.T, w *world) {
			w.Policy.Spec.Rules = nil
			w.bind()
			w.review(w.Reviews[0].Spec.Question.Requirements)
		}, "session 0195-g: policy orders-fix with digest"},
		"a decision in other words": {func(_ *testing.T, w *world) {
			w.Reviews[0].Spec.Decisions[0].Message = "never"
		}, "session 0195-g: review pay-1423-review is not what it was"},
		"another reviewer": {func(_ *testing.T, w *world) {
			w.Reviews[0].Spec.Decisions[0].Reviewer, w.Reviews[0].Status.Latched[0].Reviewer = "mallory", "mallory"
		}, "session 0195-g: review pay-1423-review is not what it was"},
		"another review": {func(_ *testing.T, w *world) {
			w.Reviews[0].Name, w.Request.Status.Review = "pay-1423-other", "pay-1423-other"
		}, `session 0195-g: review pay-1423-review allowed it, and the request names review "pay-1423-other"`},
	} {
		w := newWorld(t)
		w.enforce(t, true, w.terms(t))
		test.change(t, w)
		result := check(t, open(t, w.bundle(t)), trusted())
		if got := said(result, evidence.Failed); !strings.Contains(got, test.says) {
			t.Errorf("%s: does not say %q:\n%s", name, test.says, got)
		}
	}
}

func TestASessionThatEnforcedAnotherTextFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*record.Grant)
		says   string
	}{
		"text":     {func(g *record.Grant) { g.Text = []byte(`{"policy":{}}`) }, "the policy that was enforced in it has digest"},
		"no JSON":  {func(g *record.Grant) { g.Text = []byte(`{`) }, "the policy that was enforced in it cannot be read"},
		"policy":   {func(g *record.Grant) { g.Policy = "another" }, "policy another with digest"},
		"deadline": {func(g *record.Grant) { g.Deadline = g.Deadline.Add(time.Hour) }, "it was to last until"},
	} {
		w := newWorld(t)
		g := w.terms(t)
		test.change(g)
		w.enforce(t, true, g)
		if got := said(check(t, open(t, w.bundle(t)), trusted()), evidence.Failed); !strings.Contains(got, "session 0195-g: "+test.says) {
			t.Errorf("%s: does not say %q:\n%s", name, test.says, got)
		}
	}
}

func TestAReportWithAnInventedPolicyTextFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enforce(t, true, w.terms(t))
	for name, change := range map[string]func(*evidence.Facts){
		"another text": func(f *evidence.Facts) {
			for sum := range f.Policies {
				f.Policies[sum] = `{"policy":{}}`
			}
		},
		"no text":   func(f *evidence.Facts) { clear(f.Policies) },
		"one more":  func(f *evidence.Facts) { f.Policies["00"] = "" },
		"no grants": func(f *evidence.Facts) { f.Policies, f.Sessions[2].Contents.Grants = nil, nil },
	} {
		content := unpack(t, w.bundle(t))
		edit(t, content, "facts.json", change)
		content.list(t)
		if got := said(check(t, content.fs(), trusted()), evidence.Failed); !strings.Contains(got, "report: it") && !strings.Contains(got, "report: a policy") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAnEncryptedGrantIsReadWithAnIdentityAlone(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.enforce(t, true, w.terms(t), identity.Recipient())
	w.Policy = w.Policy.DeepCopy()
	w.Policy.Spec.Rules = nil
	bundle := open(t, w.bundle(t))
	if got := said(check(t, bundle, trusted()), evidence.Gap); !strings.Contains(got, "policy: orders-fix was changed after the review") {
		t.Error(got)
	}
	trust := trusted()
	trust.Identities = []age.Identity{identity}
	if result := check(t, bundle, trust); result.Level() != evidence.OK {
		t.Errorf("%s%s", said(result, evidence.Gap), said(result, evidence.Failed))
	}
}

func TestAGrantThatIsNotSignedIsNotCalledSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enforce(t, false, w.terms(t))
	content := unpack(t, w.bundle(t))
	result := check(t, content.fs(), trusted())
	if strings.Contains(said(result, evidence.OK), "enforced:") || !strings.Contains(string(content["report.md"]), "recorded, not signed") {
		t.Errorf("%s\n%v", said(result, evidence.OK), maps.Keys(content))
	}
}
