package e2e

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// The product's main job, line by line. Each line stands on those before it.
func TestStory_OneTaskFromItsRequestToItsProof(t *testing.T) {
	t.Parallel()
	s := &story{Domain: harness.Open(t).Domain(t), whole: t}
	for _, line := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"bob's request waits for review and its proxy runs without a credential", s.requested},
		{"psql is held and bob is told what it waits for", s.held},
		{"bob can neither approve his own request nor forge a requester", s.selfApproval},
		{"alice finds it in her inbox and reads the question", s.inbox},
		{"approved the waiting psql goes on by itself", s.approved},
		{"what is outside the grant is refused and psql stays usable", s.worked},
		{"on the target the session is the task's own role", s.ownRole},
		{"closing ends the live session at once and leaves nothing", s.closed},
		{"the recording replays and its chain verifies", s.recorded},
	} {
		if !t.Run(line.name, line.run) {
			t.FailNow()
		}
	}
}

type story struct {
	*harness.Domain
	// whole outlives each line: bob's psql is its.
	whole *testing.T
	task  *harness.Task
	psql  *harness.Psql
	role  string
}

func (s *story) requested(t *testing.T) {
	s.task = s.Ask(t, s.Bob, "pay-1423", harness.TypeFix)
	s.task.AwaitState(t, v1alpha1.ReasonAwaitingReview)
	request := s.task.AwaitProxy(t)
	listed := s.Bob.Kubectl(t, "get", "tar", "-n", s.Namespace)
	says(t, listed, "pay-1423", "PAY-1423", "bob", "AwaitingReview")
	if request.Spec.Requester.Username != "bob" {
		t.Errorf("the request is %+v's", request.Spec.Requester)
	}
	if pod := s.task.Pod(t); pod == nil || pod.Status.Phase != corev1.PodRunning {
		t.Errorf("the proxy: %+v", pod)
	}
	if request.Status.Credential != nil || request.Status.GrantedAt != nil {
		t.Errorf("a credential before the review: %+v", request.Status.Credential)
	}
	if roles := rolesOf(t, s.task); len(roles) > 0 {
		t.Errorf("the target has %v already", roles)
	}
}

func (s *story) held(t *testing.T) {
	s.psql = s.task.Psql(s.whole)
	s.psql.Err.Await(t, 0, "NOTICE:  task PAY-1423 waits for", harness.Patience)
	s.psql.Send(t, "SELECT count(*) FROM orders;")
	if !s.psql.Running() || s.psql.Out.String() != "" {
		t.Errorf("psql was not held: %s", s.psql.Out)
	}
}

func (s *story) selfApproval(t *testing.T) {
	s.Bob.Refused(t, []string{"Forbidden"}, "approve", "pay-1423", "-n", s.Namespace, "-m", "mine")
	forged := strings.Replace(s.Written(t, s.Bob, "pay-1424", harness.TypeRead), "spec:\n",
		"spec:\n  requester: {username: alice, groups: [dba]}\n", 1)
	s.Bob.TryWith(t, forged, "apply", "-f", "-")
	if who := (&harness.Task{Domain: s.Domain, Name: "pay-1424"}).Get(t).Spec.Requester.Username; who != "bob" {
		t.Errorf("bob asked in the name of %s", who)
	}
	s.Bob.Refused(t, []string{"requester is immutable"}, "patch", "tar", "pay-1424", "-n", s.Namespace, "--type=merge",
		"-p", `{"spec":{"requester":{"username":"alice"}}}`)
	s.Bob.Kubectl(t, "delete", "tar", "pay-1424", "-n", s.Namespace, "--wait=false")
}

func (s *story) inbox(t *testing.T) {
	says(t, s.Alice.Kubectl(t, "approve", "-n", s.Namespace), "pay-1423", "bob", "PAY-1423")
	says(t, s.Alice.Kubectl(t, "approve", "show", "pay-1423", "-n", s.Namespace),
		"bob", "wrong currency", harness.FixPolicy, harness.Target, "UPDATE", "public.orders", "task-reviewer")
}

func (s *story) approved(t *testing.T) {
	s.task.Approve(t, s.Alice)
	s.task.Await(t, "carol alone is missing", func(r *v1alpha1.TaskAccessRequest) bool {
		_, message := harness.State(r)
		return strings.Contains(message, "task-reviewer") && !strings.Contains(message, "1 of dba")
	})
	if request := s.task.Get(t); request.Status.GrantedAt != nil {
		t.Error("one of two approvals was enough")
	}
	approval := time.Now()
	s.task.Approve(t, s.Carol)
	if answer := s.psql.Answer(t); answer.Out != "5000" {
		t.Errorf("the waiting statement: %+v", answer)
	}
	t.Log("from approval to the first row:", s.psql.FirstByte().Sub(approval).Round(time.Millisecond))
	request := s.task.AwaitState(t, v1alpha1.ReasonActive)
	if harness.Condition(request, v1alpha1.ConditionIsolated) != "True" {
		t.Errorf("not isolated: %+v", request.Status.Conditions)
	}
}

func (s *story) worked(t *testing.T) {
	s.psql.Reads(t, "SELECT name FROM customers WHERE id = 7;", "Customer 7")
	s.psql.Reads(t, "UPDATE orders SET note = 'PAY-1423' WHERE id = 42 RETURNING id;", "42")
	for _, outside := range []string{
		"DROP TABLE orders;",
		"UPDATE customers SET name = 'Eve' WHERE id = 1;",
		"DELETE FROM orders;",
		"SELECT rolpassword FROM pg_authid;",
		"COPY orders TO PROGRAM 'sh';",
		"SET ROLE postgres;",
	} {
		s.psql.Refuses(t, outside, `policy "orders-fix"`, `rule "`)
		s.psql.Reads(t, "SELECT 'still here';", "still here")
	}
	// The same in a transaction, which is then failed, as PostgreSQL's own errors leave it.
	s.psql.Do(t, "BEGIN;")
	s.psql.Refuses(t, "DROP TABLE customers;", `policy "orders-fix"`)
	s.psql.Refuses(t, "SELECT 1;", "current transaction is aborted")
	s.psql.Do(t, "ROLLBACK;")
	s.psql.Reads(t, "SELECT note FROM orders WHERE id = 42;", "PAY-1423")
}

func (s *story) ownRole(t *testing.T) {
	s.role = s.task.Role(t)
	says(t, s.role, strings.ReplaceAll(s.task.UID, "-", ""))
	seen := s.Postgres.Query(t, "SELECT usename || ' ' || application_name FROM pg_stat_activity WHERE usename = $1", s.role)
	if len(seen) != 1 || !strings.Contains(seen[0], "PAY-1423") {
		t.Errorf("pg_stat_activity shows %q", seen)
	}
}

func (s *story) closed(t *testing.T) {
	s.psql.Send(t, endless)
	harness.Eventually(t, harness.Patience, "a running statement", func() (bool, string) {
		return len(s.Postgres.Query(t, "SELECT pid::text FROM pg_stat_activity WHERE usename = $1 AND state = 'active'", s.role)) == 1, "none"
	})
	s.Alice.Kubectl(t, "access", "close", "pay-1423", "-n", s.Namespace)
	closed := time.Now()
	ended, _ := s.psql.Exit(t, harness.Patience)
	harness.Within(t, "the session ended after kubectl access close had answered", ended.Sub(closed), harness.Soon)
	says(t, s.psql.Err.String(), "the request was closed")
	request := s.task.AwaitGone(t, v1alpha1.ReasonClosed)
	says(t, request.Status.Teardown.Message, s.role, "absent from pg_roles", "pod, service, service account, network policy and role gone")
	says(t, s.Alice.Kubectl(t, "get", "tar", "-n", s.Namespace, "-o", "wide"), "Closed", s.role, "absent")
}

func (s *story) recorded(t *testing.T) {
	says(t, s.task.Replay(t), "bob", "SELECT name FROM customers WHERE id = 7", "DROP TABLE orders", harness.FixPolicy)
	verdict := s.task.Verify(t)
	if verdict.Code != 0 {
		t.Errorf("verify: exit code %d", verdict.Code)
	}
	says(t, verdict.Out, "OK: complete", "agrees with the head that was reported")
}
