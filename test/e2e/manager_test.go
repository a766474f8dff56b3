package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// Every replica is killed three times, each time while tasks stand at every step and
// one is in the middle of one. That each two phases are survived is shown exactly in
// controllers/taskaccessrequest, by envtest.
func TestLIFE4_ManagersKilledInMidLifeAreFollowedByOnesThatFinish(t *testing.T) {
	d := harness.Open(t).Domain(t)
	active := d.Granted(t, d.Bob, "active", harness.TypeRead)
	session := active.Psql(t)
	session.Reads(t, "SELECT count(*) FROM orders;", "5000")
	waiting := d.Ask(t, d.Bob, "waiting", harness.TypeRead)
	approving, halfway := d.Ask(t, d.Bob, "approving", harness.TypeRead), d.Ask(t, d.Bob, "halfway", harness.TypeFix)
	closing := d.Granted(t, d.Dave, "closing", harness.TypeRead)
	for _, task := range []*harness.Task{waiting, approving, halfway} {
		task.AwaitProxy(t)
	}
	held := approving.Psql(t)
	held.Err.Await(t, 0, "NOTICE:", harness.Patience)
	held.Send(t, "SELECT count(*) FROM customers;")

	// At once: approvals, a close, a new request, and the end of every manager.
	var asked *harness.Task
	together(
		func() { approving.Approve(t, d.Alice) },
		func() { halfway.Approve(t, d.Carol) },
		func() { closing.Close(t) },
		func() { asked = d.Ask(t, d.Dave, "asked", harness.TypeRead) },
		func() { d.KillManagers(t) },
	)
	// Nobody leads: sessions go on, what waits goes on waiting.
	session.Reads(t, "SELECT count(*) FROM customers;", "2000")
	d.AwaitManagers(t)
	if answer := held.Answer(t); answer.Out != "2000" {
		t.Errorf("the held statement: %+v", answer)
	}
	closing.AwaitGone(t, v1alpha1.ReasonClosed)
	asked.AwaitState(t, v1alpha1.ReasonAwaitingReview)

	together(
		func() { halfway.Approve(t, d.Alice) },
		func() { waiting.Approve(t, d.Alice) },
		func() { asked.Approve(t, d.Alice) },
		func() { d.DeleteManagers(t) },
	)
	d.AwaitManagers(t)
	tasks := []*harness.Task{active, waiting, approving, halfway, asked}
	for _, task := range tasks {
		task.AwaitState(t, v1alpha1.ReasonActive)
		if roles := rolesOf(t, task); len(roles) != 1 {
			t.Errorf("%s has the roles %v", task.Name, roles)
		}
	}
	session.Reads(t, "SELECT 'all along';", "all along")

	together(
		func() { active.Close(t) }, func() { waiting.Close(t) }, func() { approving.Close(t) },
		func() { halfway.Close(t) }, func() { asked.Close(t) },
		func() { d.KillManagers(t) },
	)
	d.AwaitManagers(t)
	for _, task := range tasks {
		task.AwaitGone(t, v1alpha1.ReasonClosed)
		if roles := rolesOf(t, task); len(roles) > 0 {
			t.Errorf("%s left the roles %v", task.Name, roles)
		}
	}
	session.Send(t, "SELECT 1;")
	session.Exit(t, harness.Patience)
	says(t, active.Verify(t).Out, "OK: complete")
}

// together runs all of them at once, and waits for all.
func together(all ...func()) {
	var wait sync.WaitGroup
	for _, one := range all {
		wait.Go(one)
	}
	wait.Wait()
}

// Nobody is there to end the task: its proxy does by its own clock, and the target
// refuses the role by VALID UNTIL.
func TestPG12_WithoutAnyManagerAnExpiredTaskIsRefusedByProxyAndTarget(t *testing.T) {
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead, "--duration=20s")
	role, deadline := task.Role(t), task.Get(t).Status.ExpiresAt.Time
	psql := task.Psql(t)
	psql.Reads(t, "SELECT count(*) FROM orders;", "5000")
	// As if the password had leaked.
	d.Postgres.Exec(t, "ALTER ROLE "+role+" PASSWORD 'leaked'")
	if err := d.Postgres.Login(t, role, "leaked"); err != nil {
		t.Fatalf("before the deadline: %v", err)
	}
	d.ScaleManagers(t, 0)
	psql.Send(t, endless)
	ended, _ := psql.Exit(t, harness.Patience)
	harness.Within(t, "the session ended after the deadline", ended.Sub(deadline), harness.Soon)
	d.Postgres.AwaitNoSession(t, role, harness.Patience)
	if request := task.Get(t); request.Status.Ended != nil {
		t.Errorf("somebody ended it: %+v", request.Status.Ended)
	}
	harness.Eventually(t, harness.Patience, "the target refuses the role", func() (bool, string) {
		err := d.Postgres.Login(t, role, "leaked")
		return err != nil && strings.Contains(err.Error(), "28P01"), fmt.Sprint(err)
	})
	d.ScaleManagers(t, 2)
	task.AwaitGone(t, v1alpha1.ReasonExpired)
}
