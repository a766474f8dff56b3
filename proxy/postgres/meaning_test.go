package postgres

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestPG8_WhatMeansSomethingElseAfterTheHoldDoesNotRun(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold, func(spec *v1alpha1.AccessPolicySpec) {
		spec.Grant.Postgres.Relations = append(spec.Grant.Postgres.Relations, v1alpha1.RelationGrant{
			Schema: "public", Name: "meaning", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeDelete},
		})
	})})
	target.Exec(t, "orders", `CREATE TABLE meant (id int); CREATE TABLE not_meant (id int);
		INSERT INTO meant VALUES (1); INSERT INTO not_meant VALUES (1);
		CREATE VIEW meaning AS SELECT id FROM meant; GRANT SELECT, DELETE ON meaning TO by_scram`)
	r := p.ready(t)
	r.write(query("DELETE FROM meaning WHERE id = 1"))
	held := p.Reviewers.Next(t)
	target.Exec(t, "orders", "CREATE OR REPLACE VIEW meaning AS SELECT id FROM not_meant")
	held.Approve()
	expect(t, r.quiet(), "ERROR 42501", "ready I")
	if got := target.QueryString(t, "orders", "SELECT (SELECT count(*) FROM meant) + (SELECT count(*) FROM not_meant)"); got != "2" {
		t.Error(got)
	}
	// Sent again it is reviewed for what it means now, and runs.
	r.write(parse("", "DELETE FROM meaning WHERE id = 1"), bind("", ""), execute("", 0), syncUp())
	p.Reviewers.Next(t).Approve()
	expect(t, r.quiet(), "parsed", "bound", "DELETE 1", "ready I")
}
