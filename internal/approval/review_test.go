package approval

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestREV1_OneHumanIsOneVote(t *testing.T) {
	t.Parallel()
	table := aliases(t, map[string][]string{"alice": {"alice-admin", "a.smith@example.org"}, "bob": {"bob-admin", "system:serviceaccount:ci:bobs-bot"}})
	two := question(dba(2))
	bots := two
	bots.Requester = v1alpha1.Requester{Username: "system:serviceaccount:ci:bobs-bot"}
	self := question(dba(1), taskReviewer())
	self.Task.Reviewer = "bob"
	tests := []struct {
		name string
		q    v1alpha1.Question
		by   []v1alpha1.Decision
		want v1alpha1.Outcome
	}{
		{"two people", two, []v1alpha1.Decision{approve("alice", "dba"), approve("erin", "dba")}, v1alpha1.OutcomeApproved},
		{"one person under two names of the table", two, []v1alpha1.Decision{approve("alice", "dba"), approve("alice-admin", "dba")}, ""},
		{"one person under two aliases", two, []v1alpha1.Decision{approve("alice-admin", "dba"), approve("A.Smith@Example.org", "dba")}, ""},
		{"one person by case", two, []v1alpha1.Decision{approve("erin", "dba"), approve("ERIN", "dba")}, ""},
		{"one person by full case folding", two, []v1alpha1.Decision{approve("strauß", "dba"), approve("STRAUSS", "dba")}, ""},
		{"one person by composition", two, []v1alpha1.Decision{approve("ren\u00e9", "dba"), approve("rene\u0301", "dba")}, ""},
		{"one person by blanks", two, []v1alpha1.Decision{approve("erin", "dba"), approve(" erin", "dba")}, ""},
		{"one person by UID", two, []v1alpha1.Decision{withUID(approve("erin", "dba"), "7"), withUID(approve("oidc:erin", "dba"), "7")}, ""},
		{"empty UIDs join nobody", two, []v1alpha1.Decision{withUID(approve("erin", "dba"), ""), withUID(approve("frank", "dba"), "")}, v1alpha1.OutcomeApproved},
		{"a chain of UID and case", two, []v1alpha1.Decision{withUID(approve("erin", "dba"), "7"), withUID(approve("oidc:erin", "dba"), "7"), approve("OIDC:Erin", "dba")}, ""},
		{"the requester", two, []v1alpha1.Decision{approve("alice", "dba"), approve("bob", "dba")}, ""},
		{"the requester by case", two, []v1alpha1.Decision{approve("alice", "dba"), approve("BOB", "dba")}, ""},
		{"the requester by alias", two, []v1alpha1.Decision{approve("alice", "dba"), approve("bob-admin", "dba")}, ""},
		{"the requester by UID", two, []v1alpha1.Decision{approve("alice", "dba"), withUID(approve("kubernetes-admin", "dba", "system:masters"), "uid-bob")}, ""},
		{"the owner of the bot that asked", bots, []v1alpha1.Decision{approve("alice", "dba"), approve("bob", "dba")}, ""},
		{"the requester as the task's reviewer", self, []v1alpha1.Decision{approve("alice", "dba"), approve("bob", "dba")}, ""},
		{"a service account", two, []v1alpha1.Decision{approve("alice", "dba"), approve("system:serviceaccount:ci:bot", "dba")}, ""},
		{"a service account that an alias hides", two, []v1alpha1.Decision{approve("alice", "dba"), approve("bot", "dba", "system:serviceaccounts")}, ""},
		{"a node", two, []v1alpha1.Decision{approve("alice", "dba"), approve("system:node:worker-1", "dba")}, ""},
		{"nobody in particular", two, []v1alpha1.Decision{approve("alice", "dba"), approve("someone", "dba", "system:unauthenticated")}, ""},
		{"an administrator without a seat", two, []v1alpha1.Decision{approve("alice", "dba"), approve("root", "system:masters")}, ""},
		{"who approves and denies denies", two, []v1alpha1.Decision{approve("alice", "dba"), deny("alice-admin"), approve("erin", "dba"), approve("frank", "dba")}, v1alpha1.OutcomeDenied},
		{"overshoot", two, []v1alpha1.Decision{approve("alice", "dba"), approve("erin", "dba"), approve("frank", "dba")}, v1alpha1.OutcomeApproved},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := ask(tt.q, tt.by...)
			in.Identities = table
			if got := Count(in); got.Outcome != tt.want {
				t.Errorf("got %q (%s), want %q", got.Outcome, got.Message, tt.want)
			}
		})
	}
}

func TestREV2_AnApprovalIsBoundToDigests(t *testing.T) {
	t.Parallel()
	type current struct{ Request, Policy, Target v1alpha1.Bound }
	bound := current{
		Request: v1alpha1.Bound{Name: "pay-1423", UID: "r1", Digest: "v1:sha256:aa"},
		Policy:  v1alpha1.Bound{Name: "orders-read", UID: "p1", Digest: "v1:sha256:bb"},
		Target:  v1alpha1.Bound{Name: "orders", UID: "t1", Digest: "v1:sha256:cc"},
	}
	tests := []struct {
		name   string
		change func(q *v1alpha1.Question, now *current)
		want   string
	}{
		{"nothing", func(*v1alpha1.Question, *current) {}, ""},
		{"request edited", func(_ *v1alpha1.Question, now *current) { now.Request.Digest = "v1:sha256:dd" }, "request pay-1423"},
		{"request made again under its name", func(_ *v1alpha1.Question, now *current) { now.Request.UID = "r2" }, "request pay-1423"},
		{"policy edited", func(_ *v1alpha1.Question, now *current) { now.Policy.Digest = "v1:sha256:dd" }, "policy orders-read"},
		{"policy made again under its name", func(_ *v1alpha1.Question, now *current) { now.Policy.UID = "p2" }, "policy orders-read"},
		{"policy gone", func(_ *v1alpha1.Question, now *current) { now.Policy = v1alpha1.Bound{} }, "policy orders-read"},
		{"another digest's version", func(_ *v1alpha1.Question, now *current) { now.Policy.Digest = "v2:sha256:bb" }, "policy orders-read"},
		{"retargeted", func(_ *v1alpha1.Question, now *current) { now.Target.Name = "payments" }, "target orders"},
		{"target and policy edited", func(_ *v1alpha1.Question, now *current) { now.Target.Digest, now.Policy.Digest = "x", "y" }, "policy orders-read, target orders"},
		{"bound to no digest", func(q *v1alpha1.Question, now *current) { q.Policy.Digest, now.Policy.Digest = "", "" }, "policy orders-read"},
		{"bound to no object", func(q *v1alpha1.Question, now *current) { q.Target, now.Target = v1alpha1.Bound{}, v1alpha1.Bound{} }, "target "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q, now := question(dba(1)), bound
			q.Subject.Request, q.Policy, q.Target = bound.Request, bound.Policy, bound.Target
			tt.change(&q, &now)
			want := tt.want
			if want != "" {
				want += " changed since the review opened"
			}
			got := ""
			if err := Valid(q, now.Request, now.Policy, now.Target); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// race is one review under two leaders with clocks of their own, each of which
// reads, thinks, and writes only if nobody wrote meanwhile.
type race struct {
	version   int
	decisions []v1alpha1.Decision
	status    v1alpha1.ApprovalReviewStatus
	decidedAt time.Time
	changes   int
}

type leader struct {
	skew time.Duration
	read race
}

func (r *race) write(read race, got Result) {
	if read.version != r.version {
		return
	}
	r.version++
	if r.status.Outcome != got.Outcome {
		r.changes++
		r.decidedAt = got.At
	}
	r.status.Latched, r.status.Outcome = got.Latched, got.Outcome
}

func TestREV3_RacesEndInOneTerminalStateAndNeverApproveLate(t *testing.T) {
	t.Parallel()
	for range 100 { // of rapid's hundred checks each
		rapid.Check(t, func(t *rapid.T) {
			runRace(t, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3)))
		})
	}
}

func runRace(t *rapid.T, rnd *rand.Rand) {
	q := question(dba(2))
	q.ExpiresAt = metav1.NewTime(start.Add(20 * time.Second))
	now, r, withdrawn := start, race{}, ""
	leaders := [2]leader{{skew: time.Duration(rnd.IntN(11)-5) * time.Second}, {skew: time.Duration(rnd.IntN(11)-5) * time.Second}}
	voters := []v1alpha1.Decision{approve("alice", "dba"), approve("erin", "dba"), approve("frank", "dba"), deny("gina", "dba"), approve("bob", "dba")}
	rnd.Shuffle(len(voters), func(i, j int) { voters[i], voters[j] = voters[j], voters[i] })

	for range 60 {
		l := &leaders[rnd.IntN(2)]
		switch rnd.IntN(6) {
		case 0:
			now = now.Add(time.Duration(rnd.IntN(2500)) * time.Millisecond)
		case 1:
			if len(voters) > 0 {
				r.decisions = append(r.decisions, voters[0])
				voters = voters[1:]
				r.version++
			}
		case 2:
			if rnd.IntN(40) == 0 {
				withdrawn = "the request was closed"
			}
		case 3:
			l.read = r
		default:
			in := ask(q, l.read.decisions...)
			in.Latched, in.Outcome = l.read.status.Latched, l.read.status.Outcome
			in.Withdrawn, in.Now = withdrawn, now.Add(l.skew)
			if rnd.IntN(8) == 0 {
				in.Authorised = nil // the look-up failed
			}
			before := r.status.Outcome
			r.write(l.read, Count(in))
			if before != "" && r.status.Outcome != before {
				t.Fatalf("%s became %s", before, r.status.Outcome)
			}
		}
	}
	if r.changes > 1 {
		t.Fatalf("%d outcomes", r.changes)
	}
	if r.status.Outcome != v1alpha1.OutcomeApproved {
		return
	}
	if !r.decidedAt.Before(q.ExpiresAt.Time) {
		t.Fatalf("approved at %s, after the deadline %s", r.decidedAt, q.ExpiresAt)
	}
	for _, latched := range r.status.Latched {
		if latched.Counted && !latched.At.Before(&q.ExpiresAt) {
			t.Fatalf("counted %+v after the deadline", latched)
		}
		if latched.Counted && latched.Verdict == v1alpha1.VerdictDeny {
			t.Fatalf("approved over %+v", latched)
		}
	}
}

func TestREV4_ALookUpErrorHoldsAndAnEmptyQuorumNeverApproves(t *testing.T) {
	t.Parallel()
	unknown := func(in Input, reviewers ...string) Input {
		for _, r := range reviewers {
			in.Authorised[r] = Unknown
		}
		return in
	}
	late := unknown(ask(question(dba(1)), approve("alice", "dba")), "alice")
	late.Now = start.Add(time.Hour)
	auto := question()
	auto.AutoApproved = `task.type == "read"`
	lateAuto := ask(auto)
	lateAuto.Now = start.Add(time.Hour)
	tests := []struct {
		name string
		in   Input
		want v1alpha1.Outcome
	}{
		{"an unknown approval holds", unknown(ask(question(dba(1)), approve("alice", "dba")), "alice"), ""},
		{"an unknown denial holds what is complete", unknown(ask(question(dba(1)), approve("alice", "dba"), deny("erin", "dba")), "erin"), ""},
		{"an unknown denial of an outsider does not", unknown(ask(question(dba(1)), approve("alice", "dba"), deny("mallory")), "mallory"), v1alpha1.OutcomeApproved},
		{"a known denial ends it all the same", unknown(ask(question(dba(1)), approve("alice", "dba"), deny("erin", "dba")), "alice"), v1alpha1.OutcomeDenied},
		{"a held decision expires", late, v1alpha1.OutcomeExpired},
		{"no requirements, but approved by the policy itself", ask(auto), v1alpha1.OutcomeApproved},
		{"approved by the policy itself, too late", lateAuto, v1alpha1.OutcomeExpired},
		{"no requirements", ask(question(), approve("alice", "dba"), approve("erin", "dba")), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Count(tt.in); got.Outcome != tt.want {
				t.Errorf("got %q (%s), want %q", got.Outcome, got.Message, tt.want)
			}
		})
	}
	held := Count(unknown(ask(question(dba(1)), approve("alice", "dba")), "alice"))
	if len(held.Latched) != 0 || !strings.Contains(held.Message, "held while the authoriser cannot say whether alice may review") {
		t.Errorf("held: %+v", held)
	}
	if got := Count(ask(question())); len(got.Missing) != 1 {
		t.Errorf("an empty quorum must say what is missing: %+v", got)
	}
}
