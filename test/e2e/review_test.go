package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestREV1_OneHumanIsOneVoteAndNobodyReviewsTheirOwnRequest(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	// Alice could fill either seat: of the dba group, and as the task's reviewer.
	task := d.Ask(t, d.Bob, "pay-1", harness.TypeFix, "--reviewer=alice")
	task.AwaitState(t, v1alpha1.ReasonAwaitingReview)
	task.Approve(t, d.Alice)
	task.Await(t, "one seat is left", func(r *v1alpha1.TaskAccessRequest) bool {
		_, message := harness.State(r)
		return strings.Contains(message, "1 of ") && !strings.Contains(message, ",")
	})
	d.Alice.Refused(t, nil, "approve", "pay-1", "-n", d.Namespace, "-m", "again")
	if request := task.Get(t); request.Status.GrantedAt != nil {
		t.Error("one person filled two seats")
	}

	// Erin is an engineer and a dba: she asks, and her own yes is refused.
	erin := d.User(t, "erin", "engineering", "dba")
	own := d.Ask(t, erin, "pay-2", harness.TypeRead)
	own.AwaitState(t, v1alpha1.ReasonAwaitingReview)
	erin.Refused(t, []string{"nobody reviews their own request"}, "approve", "pay-2", "-n", d.Namespace, "-m", "mine")

	// The cluster's administrator may do everything, and not this.
	d.Administrator.KubectlWith(t, d.Written(t, d.Bob, "pay-3", harness.TypeRead), "apply", "-f", "-")
	administrators := &harness.Task{Domain: d, Requester: d.Administrator, Name: "pay-3"}
	administrators.AwaitState(t, v1alpha1.ReasonAwaitingReview)
	d.Administrator.Refused(t, []string{"nobody reviews their own request"}, "approve", "pay-3", "-n", d.Namespace, "-m", "mine")

	// Nobody votes in another's name, and dave, who reviews nothing here, not at all.
	review := task.Review(t).Name
	d.Carol.Refused(t, []string{"a decision is your own"}, "patch", "arev", review, "-n", d.Namespace, "--type=json",
		"-p", `[{"op":"add","path":"/spec/decisions/-","value":{"reviewer":"frank","groups":["dba"],"verdict":"Approve"}}]`)
	d.Dave.Refused(t, []string{"orbidden"}, "approve", "pay-1", "-n", d.Namespace, "-m", "me too")

	// Carol has the verb but no seat here: her yes does not count.
	d.Carol.Refused(t, []string{"recorded but does not count"}, "approve", "pay-2", "-n", d.Namespace, "-m", "fine")
	own.Await(t, "carol's yes is seen", func(*v1alpha1.TaskAccessRequest) bool { return len(own.Review(t).Status.Latched) == 1 })
	if request := own.Get(t); request.Status.GrantedAt != nil || own.Review(t).Status.Latched[0].Counted {
		t.Errorf("a yes without a seat counted: %+v", own.Review(t).Status)
	}
}

func TestREV6_NobodyElseChangesARequestItsStatusItsFinalizerOrItsReview(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Ask(t, d.Bob, "pay-1", harness.TypeRead)
	task.AwaitState(t, v1alpha1.ReasonAwaitingReview)
	review := task.Review(t).Name
	for _, try := range []struct {
		who   *harness.User
		args  []string
		words []string
	}{
		{d.Dave, []string{"patch", "tar", "pay-1", "--type=merge", "-p", `{"spec":{"state":"Closed"}}`}, []string{"only bob changes this request"}},
		{d.Dave, []string{"delete", "tar", "pay-1"}, []string{"orbidden"}},
		{d.Alice, []string{"patch", "tar", "pay-1", "--type=merge", "-p", `{"metadata":{"labels":{"a":"b"}}}`}, []string{"only its requester"}},
		{d.Administrator, []string{"patch", "tar", "pay-1", "--type=merge", "-p", `{"spec":{"durationSeconds":3600}}`}, []string{"immutable"}},
		{d.Administrator, []string{"patch", "tar", "pay-1", "--subresource=status", "--type=merge", "-p", `{"status":{"grantedAt":"2026-01-01T00:00:00Z"}}`}, []string{"nobody else writes it"}},
		{d.Administrator, []string{"patch", "arev", review, "--subresource=status", "--type=merge", "-p", `{"status":{"outcome":"Approved"}}`}, []string{"nobody else writes it"}},
		{d.Administrator, []string{"patch", "tar", "pay-1", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`}, []string{"finalizers"}},
		{d.Administrator, []string{"patch", "arev", review, "--type=merge", "-p", `{"spec":{"question":{"reason":"harmless"}}}`}, []string{"immutable"}},
		{d.Administrator, []string{"delete", "arev", review}, []string{"reviews go with their request"}},
	} {
		try.who.Refused(t, try.words, append(try.args, "-n", d.Namespace)...)
	}
	if request := task.Get(t); request.Spec.State != v1alpha1.StateOpen || request.Status.GrantedAt != nil {
		t.Errorf("it was changed: %+v", request)
	}
}

// Admission is the cluster's: while it is weakened nothing is granted to anybody.
func TestREV6_WeakenedAdmissionStopsAllGrantsAndADeletedReviewCloses(t *testing.T) {
	d := harness.Open(t).Domain(t)
	active := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	psql := active.Psql(t)
	psql.Reads(t, "SELECT 1;", "1")
	psql.Send(t, endless)
	waiting := d.Ask(t, d.Bob, "pay-2", harness.TypeRead)
	waiting.AwaitProxy(t)

	const binding = "validatingadmissionpolicybinding/sallyport-review-delete"
	saved := d.Administrator.Kubectl(t, "get", binding, "-o", "yaml")
	restored := false
	restore := func() {
		if !restored {
			// As it was: server-made fields do not matter to a new object.
			d.Administrator.KubectlWith(t, withoutServerFields(saved), "apply", "--server-side", "--force-conflicts", "-f", "-")
			restored = true
		}
	}
	t.Cleanup(restore)
	d.Administrator.Kubectl(t, "delete", binding)
	waiting.Approve(t, d.Alice)
	waiting.Await(t, "the grant is withheld", func(r *v1alpha1.TaskAccessRequest) bool {
		_, message := harness.State(r)
		return strings.Contains(message, "nothing is granted while") && strings.Contains(message, "sallyport-review-delete")
	})
	if len(rolesOf(t, waiting)) > 0 {
		t.Error("a role was made all the same")
	}
	// What stood in the way of this is gone as well; it opens nothing.
	harness.Eventually(t, harness.Patience, "the API server has noticed", func() (bool, string) {
		result := d.Administrator.Try(t, "delete", "arev", active.Review(t).Name, "-n", d.Namespace, "--wait=false")
		return result.Code == 0, result.String()
	})
	psql.Exit(t, harness.Patience)
	active.AwaitGone(t, v1alpha1.ReasonVoid)

	restore()
	waiting.AwaitState(t, v1alpha1.ReasonActive)
}

// withoutServerFields drops the lines that an object of the API server has and its
// manifest has not.
func withoutServerFields(manifest string) string {
	var kept []string
	for line := range strings.Lines(manifest) {
		switch field, _, _ := strings.Cut(strings.TrimSpace(line), ":"); field {
		case "uid", "resourceVersion", "creationTimestamp", "generation":
		default:
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
