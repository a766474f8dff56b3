package e2e

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestLIFE3_ATaskWhoseRoleOwnsTablesIsTornDownAndTheTablesStay(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	role := task.Role(t)
	table := "left_by_" + role
	d.Postgres.Exec(t, "CREATE TABLE public."+table+" (id int); ALTER TABLE public."+table+" OWNER TO "+role)
	t.Cleanup(func() { d.Postgres.Exec(t, "DROP TABLE IF EXISTS public."+table) })
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	if owner := d.Postgres.Query(t, "SELECT tableowner::text FROM pg_tables WHERE tablename = $1", table); len(owner) != 1 || owner[0] != d.Postgres.User {
		t.Errorf("the table is %v's", owner)
	}
}
