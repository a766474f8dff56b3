package e2e

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestWhoReadsARecordingIsInTheAuditStreamAndSoIsTheLifeOfTheRequest(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT name FROM customers WHERE id = 1;", "Customer 1")
	psql.Refuses(t, "DROP TABLE orders;", "policy")
	task.Close(t)
	session := task.AwaitGone(t, v1alpha1.ReasonClosed).Status.Recording.Head[0].Session

	says(t, task.Replay(t), "customers WHERE id = 1")
	read := d.AwaitAudit(t, "dev.sallyport.recording.read", task.UID, session)
	says(t, read, `"user":"alice"`, d.Namespace+"/pay-1")
	d.Bob.Refused(t, []string{"recording"}, "access", "replay", task.Name, "-n", d.Namespace)

	for _, kind := range []string{"request.created", "review.approved", "grant.issued", "session.begun", "operation.denied", "session.ended", "recording.sealed", "teardown.proved"} {
		event := d.AwaitAudit(t, `"type":"dev.sallyport.`+kind+`"`, task.UID)
		// Rows and what was typed are in the recording alone.
		doesNotSay(t, event, "Customer 1")
	}
}
