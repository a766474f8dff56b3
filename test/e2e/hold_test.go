package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// ledger is a task of bob's on a table of its own, whose policy holds what names no
// rows, and gates what changes some.
type ledger struct {
	*harness.Domain
	table string
	task  *harness.Task
	psql  *harness.Psql
}

var ledgers atomic.Int64

func newLedger(t *testing.T, change ...func(*v1alpha1.AccessPolicySpec)) *ledger {
	t.Helper()
	cluster := harness.Open(t)
	l := &ledger{table: fmt.Sprintf("ledger_%d_%d", time.Now().UnixNano(), ledgers.Add(1))}
	cluster.Postgres.Exec(t, "CREATE TABLE public."+l.table+" (id int PRIMARY KEY, paid bool NOT NULL DEFAULT false)")
	t.Cleanup(func() { cluster.Postgres.Exec(t, "DROP TABLE public."+l.table) })
	cluster.Postgres.Exec(t, "INSERT INTO public."+l.table+" SELECT i FROM generate_series(1, 100) i")
	l.Domain = cluster.Domain(t, func(p *harness.Policies) {
		p.Fix.Grant.Postgres.Relations = append(p.Fix.Grant.Postgres.Relations, v1alpha1.RelationGrant{
			Schema: "public", Name: l.table, Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeUpdate},
		})
		p.Fix.Hold.Requirements = []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}}
		p.Fix.Hold.RowImages = 5
		p.Fix.Rules = []v1alpha1.Rule{
			{Name: "no-where", When: "action.kind == 'update' && !action.hasWhere", Effect: v1alpha1.EffectHold, Message: "say which rows"},
		}
		for _, apply := range change {
			apply(&p.Fix)
		}
	})
	l.task = l.Granted(t, l.Bob, "pay-1423", harness.TypeFix)
	l.psql = l.task.Psql(t)
	l.psql.Reads(t, "SELECT count(*) FROM "+l.table+";", "100")
	return l
}

func gated(p *v1alpha1.AccessPolicySpec) {
	p.Rules = []v1alpha1.Rule{{Name: "show-effect", When: "action.kind == 'update'", Effect: v1alpha1.EffectHoldCommit}}
}

func (l *ledger) paid(t *testing.T) string {
	t.Helper()
	return l.Postgres.Query(t, "SELECT count(*)::text FROM public."+l.table+" WHERE paid")[0]
}

func (l *ledger) wantPaid(t *testing.T, want string) {
	t.Helper()
	if got := l.paid(t); got != want {
		t.Errorf("%s rows are paid, want %s", got, want)
	}
}

func TestHOLD_AStatementWaitsInsidePsqlForItsReviewer(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	watch := l.Watch(t, l.Alice)
	watch.Out.Await(t, 0, "NAME", harness.Patience)
	statement := "UPDATE " + l.table + " SET paid = true;"
	l.psql.Send(t, statement)
	review, told := l.psql.Held(t)
	watch.Out.Await(t, 0, review, harness.Patience)
	harness.Within(t, "kubectl approve --watch showed it after psql's NOTICE", time.Since(told), harness.Soon)
	l.wantPaid(t, "0")

	says(t, l.Alice.Kubectl(t, "approve", "-n", l.Namespace), review, "UPDATE "+l.table)
	says(t, l.Alice.Kubectl(t, "approve", "show", review, "-n", l.Namespace),
		"UPDATE "+l.table+" SET paid = true", "no-where", "writes public."+l.table, "no WHERE", "bob")
	says(t, l.Alice.Kubectl(t, "access", "show", "pay-1423", "-n", l.Namespace), review, "Statement")
	// bob reads no reviews, answers none, and makes none go away.
	l.Bob.Refused(t, []string{"Forbidden"}, "get", "arev", review, "-n", l.Namespace)
	l.Bob.Refused(t, []string{"Forbidden"}, "approve", review, "-n", l.Namespace, "-m", "mine")
	l.Bob.Refused(t, []string{"Forbidden"}, "delete", "arev", review, "-n", l.Namespace)
	says(t, l.Bob.Kubectl(t, "access", "show", "pay-1423", "-n", l.Namespace), "you may not list reviews here")

	l.Alice.Kubectl(t, "approve", review, "-n", l.Namespace, "-m", "all of them, agreed")
	if answer := l.psql.Answer(t); strings.Contains(answer.Err, "ERROR") {
		t.Errorf("the approved statement: %+v", answer)
	}
	l.wantPaid(t, "100")

	l.psql.Send(t, "UPDATE "+l.table+" SET paid = false;")
	review, _ = l.psql.Held(t)
	l.Alice.Kubectl(t, "approve", "deny", review, "-n", l.Namespace, "-m", "name the rows")
	says(t, l.psql.Answer(t).Err, "ERROR:", `rule "no-where"`, "alice: name the rows")
	l.wantPaid(t, "100")
	l.psql.Reads(t, "SELECT 'still here';", "still here")
	l.task.AwaitState(t, v1alpha1.ReasonActive)
	says(t, l.task.Replay(t), "held for review "+review, "Denied: alice: name the rows", "REFUSED by policy")
	l.task.Close(t)
	l.task.AwaitGone(t, v1alpha1.ReasonClosed)
}

func TestHOLD_CtrlCWithdrawsAndALateAnswerReleasesNothing(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.psql.Send(t, "UPDATE "+l.table+" SET paid = true;")
	review, _ := l.psql.Held(t)
	l.psql.Interrupt(t)
	// A psql that runs a script ends with it.
	l.psql.Exit(t, harness.Patience)
	says(t, l.psql.Err.String(), "ERROR:", "cancel")
	l.AwaitOutcome(t, review, v1alpha1.OutcomeWithdrawn)
	l.Alice.Refused(t, []string{"is over: Withdrawn"}, "approve", review, "-n", l.Namespace)
	l.wantPaid(t, "0")
}

func TestHOLD_LeavingWithdrawsAndTimeDenies(t *testing.T) {
	t.Parallel()
	l := newLedger(t, func(p *v1alpha1.AccessPolicySpec) { p.Hold.TimeoutSeconds = 5 })
	l.psql.Send(t, "UPDATE "+l.table+" SET paid = true;")
	review, _ := l.psql.Held(t)
	says(t, l.psql.Answer(t).Err, "ERROR:", "nobody answered in time")
	l.AwaitOutcome(t, review, v1alpha1.OutcomeExpired)
	l.psql.Send(t, "UPDATE "+l.table+" SET paid = true;")
	review, _ = l.psql.Held(t)
	l.psql.Kill(t)
	l.AwaitOutcome(t, review, v1alpha1.OutcomeWithdrawn)
	l.wantPaid(t, "0")
}

func TestHOLD_ClosingATaskEndsWhatItHolds(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.psql.Send(t, "UPDATE "+l.table+" SET paid = true;")
	review, _ := l.psql.Held(t)
	l.task.Close(t)
	l.psql.Exit(t, harness.Patience)
	says(t, l.psql.Err.String(), "the request was closed")
	l.AwaitOutcome(t, review, v1alpha1.OutcomeWithdrawn)
	l.task.AwaitGone(t, v1alpha1.ReasonClosed)
	l.wantPaid(t, "0")
}

// Not parallel: it kills the managers of everybody.
func TestHOLD_AManagerThatIsKilledLeavesOneReviewAndItsAnswer(t *testing.T) {
	l := newLedger(t)
	l.psql.Send(t, "UPDATE "+l.table+" SET paid = true;")
	review, _ := l.psql.Held(t)
	l.KillManagers(t)
	l.AwaitManagers(t)
	if !l.psql.Running() {
		t.Fatalf("psql has left: %s", l.psql.Err)
	}
	l.wantPaid(t, "0")
	l.Alice.Kubectl(t, "approve", review, "-n", l.Namespace, "-m", "agreed")
	if answer := l.psql.Answer(t); strings.Contains(answer.Err, "ERROR") {
		t.Errorf("the approved statement: %+v", answer)
	}
	l.wantPaid(t, "100")
	if held := l.Holds(t); len(held) != 1 {
		t.Errorf("%d reviews were opened, want 1", len(held))
	}
}

func TestHOLD_ACommitWaitsForReviewersWhoSeeWhatItDid(t *testing.T) {
	t.Parallel()
	l := newLedger(t, gated)
	l.psql.Refuses(t, "UPDATE "+l.table+" SET paid = true WHERE id = 1;", `rule "show-effect"`)
	transaction := func(where string) string {
		l.psql.Do(t, "BEGIN;")
		l.psql.Do(t, "UPDATE "+l.table+" SET paid = true WHERE "+where+";")
		l.psql.Send(t, "COMMIT;")
		review, _ := l.psql.Held(t)
		return review
	}
	review := transaction("id <= 3")
	l.wantPaid(t, "0")
	says(t, l.Alice.Kubectl(t, "approve", "-n", l.Namespace), review, "COMMIT of public.")
	says(t, l.Alice.Kubectl(t, "approve", "show", review, "-n", l.Namespace), "public."+l.table, "show-effect", "(3 updated)")
	effects := l.ReviewNamed(t, review).Spec.Question.Subject.Held.Effects
	if len(effects) != 1 || effects[0].Updated != 3 || effects[0].Relation != "public."+l.table {
		t.Errorf("the reviewers see %+v", effects)
	}
	l.Alice.Kubectl(t, "approve", review, "-n", l.Namespace, "-m", "three, as agreed")
	if answer := l.psql.Answer(t); strings.Contains(answer.Err, "ERROR") {
		t.Errorf("the approved COMMIT: %+v", answer)
	}
	l.wantPaid(t, "3")

	review = transaction("id <= 50")
	l.Alice.Kubectl(t, "approve", "deny", review, "-n", l.Namespace, "-m", "fifty are too many")
	says(t, l.psql.Answer(t).Err, "ERROR:", "alice: fifty are too many")
	l.wantPaid(t, "3")
	// The transaction is over, the session is not.
	l.psql.Reads(t, "SELECT count(*) FROM "+l.table+" WHERE paid;", "3")
}

func TestHOLD_ACommitThatNobodyAnswersIsRolledBack(t *testing.T) {
	t.Parallel()
	l := newLedger(t, gated, func(p *v1alpha1.AccessPolicySpec) { p.Hold.CommitTimeoutSeconds = 5 })
	l.psql.Do(t, "BEGIN;")
	l.psql.Do(t, "UPDATE "+l.table+" SET paid = true WHERE id = 1;")
	l.psql.Send(t, "COMMIT;")
	l.psql.Held(t)
	says(t, l.psql.Answer(t).Err, "ERROR:", "nobody answered in time")
	l.wantPaid(t, "0")
	l.psql.Do(t, "BEGIN;")
	l.psql.Do(t, "UPDATE "+l.table+" SET paid = true WHERE id = 1;")
	l.psql.Send(t, "COMMIT;")
	review, _ := l.psql.Held(t)
	l.psql.Kill(t)
	l.AwaitOutcome(t, review, v1alpha1.OutcomeWithdrawn)
	l.wantPaid(t, "0")
}

// From a reviewer's yes to the answer in psql, the update itself included.
func TestHOLD_AnApprovalReleasesAtOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	alice := l.Alice.Client(t)
	var shown, released []time.Duration
	for range 12 {
		sent := time.Now()
		l.psql.Send(t, "UPDATE "+l.table+" SET paid = true;")
		review, told := l.psql.Held(t)
		shown = append(shown, told.Sub(sent))
		approved := l.AnswerBy(t, alice, review, v1alpha1.Decision{Reviewer: "alice", Groups: []string{"dba"}, Verdict: v1alpha1.VerdictApprove})
		l.psql.Answer(t)
		released = append(released, time.Since(approved))
	}
	slices.Sort(shown)
	slices.Sort(released)
	t.Logf("from statement to NOTICE: p50 %v, worst %v", shown[len(shown)/2], shown[len(shown)-1])
	t.Logf("from approval to answer: p50 %v, worst %v", released[len(released)/2], released[len(released)-1])
	harness.Within(t, "half of the answers after their approvals", released[len(released)/2], harness.Soon)
}
