package crd_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const policy = `
apiVersion: access.sallyport.dev/v1alpha1
kind: AccessPolicy
metadata: {name: orders-fix}
spec:
  taskTypes: [data-fix]
  targets: [orders]
  grant:
    postgres:
      database: orders
      relations:
      - {schema: public, name: orders, privileges: [SELECT]}
  rules:
  - {name: no-drop, when: 'true', effect: Deny, message: ask first}
  review:
    requirements:
    - {name: dba, groups: [dba]}
`

func TestAnAccessPolicySaysForWhichTasksAndTargets(t *testing.T) {
	t.Parallel()
	creations(t, policy, []row{
		{"as it stands", "", ""},
		{"a name of 64 characters", put("/metadata/name", text(64)), "name has at most 63 characters"},
		{"no spec", del("/spec"), "spec: Required value"},
		{"a field that nobody enforces", put("/spec/masking", "{}"), "unknown field"},
		{"no task types", del("/spec/taskTypes"), "taskTypes: Required value"},
		{"an empty list of task types", put("/spec/taskTypes", "[]"), "taskTypes"},
		{"17 task types", put("/spec/taskTypes", list(17, `"t%d"`)), "taskTypes: Too many"},
		{"a task type twice", put("/spec/taskTypes", `["a","a"]`), "Duplicate value"},
		{"a task type in capitals", put("/spec/taskTypes", `["Read"]`), "taskTypes[0]"},
		{"a task type without a name", put("/spec/taskTypes", `[""]`), "taskTypes[0]"},
		{"a task type that is too long", put("/spec/taskTypes", "["+text(64)+"]"), "taskTypes[0]"},
		{"no targets", del("/spec/targets"), "targets: Required value"},
		{"an empty list of targets", put("/spec/targets", "[]"), "targets"},
		{"33 targets", put("/spec/targets", list(33, `"t%d"`)), "targets: Too many"},
		{"a target twice", put("/spec/targets", `["a","a"]`), "Duplicate value"},
		{"a target of another namespace", put("/spec/targets", `["other/orders"]`), "targets[0]"},
		{"a target that is too long", put("/spec/targets", "["+text(64)+"]"), "targets[0]"},
	})
}

func TestAnAccessPolicyGrantsNamedThings(t *testing.T) {
	t.Parallel()
	const (
		postgres  = "/spec/grant/postgres"
		relations = postgres + "/relations"
	)
	creations(t, policy, []row{
		{"no grant", del("/spec/grant"), "grant: Required value"},
		{"a grant of no protocol", put("/spec/grant", "{}"), "exactly one of: postgres"},
		{"no database", del(postgres + "/database"), "database: Required value"},
		{"an empty database", put(postgres+"/database", `""`), "postgres.database"},
		{"a database with a control character", put(postgres+"/database", `"a\u0007"`), "postgres.database"},
		{"a database that is too long", put(postgres+"/database", text(64)), "postgres.database"},
		{"no relations", del(relations), ""},
		{"257 relations", put(relations, list(257, `{"name":"r%d","privileges":["SELECT"]}`)), "relations: Too many"},
		{"a relation twice", put(relations+"/-", `{"name":"orders","privileges":["SELECT"]}`), "Duplicate value"},
		{"a relation of another schema", put(relations+"/-", `{"schema":"audit","name":"orders","privileges":["SELECT"]}`), ""},
		{"a relation in capitals, quotes and all", put(relations+"/-", `{"name":"Order \"Lines\"","privileges":["SELECT"]}`), ""},
		{"a relation without a name", put(relations+"/0/name", `""`), "relations[0].name"},
		{"a relation with a control character", put(relations+"/0/name", `"a\nb"`), "relations[0].name"},
		{"a relation that is too long", put(relations+"/0/name", text(64)), "relations[0].name"},
		{"a schema without a name", put(relations+"/0/schema", `""`), "relations[0].schema"},
		{"a schema with a control character", put(relations+"/0/schema", `"a\u001b"`), "relations[0].schema"},
		{"a schema that is too long", put(relations+"/0/schema", text(64)), "relations[0].schema"},
		{"no privileges", put(relations+"/0/privileges", "[]"), "privileges"},
		{"every privilege", put(relations+"/0/privileges", `["SELECT","INSERT","UPDATE","DELETE"]`), ""},
		{"a privilege twice", put(relations+"/0/privileges", `["SELECT","SELECT"]`), "Duplicate value"},
		{"a privilege that is none", put(relations+"/0/privileges", `["TRUNCATE"]`), "Unsupported value"},
		{"a sequence", put(postgres+"/sequences", `["public.orders_id_seq"]`), ""},
		{"a sequence without a schema", put(postgres+"/sequences", `["orders_id_seq"]`), "sequences[0]"},
		{"a sequence of another database", put(postgres+"/sequences", `["a.b.c"]`), "sequences[0]"},
		{"a sequence with a control character", put(postgres+"/sequences", `["a.b\u0000"]`), "sequences[0]"},
		{"a sequence that is too long", put(postgres+"/sequences", `["a.`+text(126)[1:]+`]`), "sequences[0]"},
		{"a sequence twice", put(postgres+"/sequences", `["a.b","a.b"]`), "Duplicate value"},
		{"65 sequences", put(postgres+"/sequences", list(65, `"a.s%d"`)), "sequences: Too many"},
		{"a function", put(postgres+"/functions", `["public.total"]`), ""},
		{"a function without a schema", put(postgres+"/functions", `["total"]`), "functions[0]"},
		{"a function with a control character", put(postgres+"/functions", `["a.b\u0000"]`), "functions[0]"},
		{"a function that is too long", put(postgres+"/functions", `["a.`+text(126)[1:]+`]`), "functions[0]"},
		{"a function twice", put(postgres+"/functions", `["a.b","a.b"]`), "Duplicate value"},
		{"65 functions", put(postgres+"/functions", list(65, `"a.f%d"`)), "functions: Too many"},
	})
}

func TestAnAccessPolicysRulesAreNamedAndPlain(t *testing.T) {
	t.Parallel()
	const rule = "/spec/rules/0"
	creations(t, policy, []row{
		{"no rules", del("/spec/rules"), ""},
		{"65 rules", put("/spec/rules", list(65, `{"name":"r%d","when":"true","effect":"Deny"}`)), "rules: Too many"},
		{"two rules of one name", put("/spec/rules/-", `{"name":"no-drop","when":"true","effect":"Deny"}`), "Duplicate value"},
		{"a rule without a name", put(rule+"/name", `""`), "rules[0].name"},
		{"a rule's name with a blank", put(rule+"/name", `"no drop"`), "rules[0].name"},
		{"a rule's name that is too long", put(rule+"/name", text(64)), "rules[0].name"},
		{"a rule without a condition", del(rule + "/when"), "when: Required value"},
		{"a rule with an empty condition", put(rule+"/when", `""`), "rules[0].when"},
		{"a rule with a condition too long", put(rule+"/when", text(4097)), "rules[0].when"},
		{"a rule without an effect", del(rule + "/effect"), "effect: Required value"},
		{"a rule with effect Hold", put(rule+"/effect", `"Hold"`), ""},
		{"a rule with effect Allow", put(rule+"/effect", `"Allow"`), ""},
		{"a rule with an unknown effect", put(rule+"/effect", `"Ignore"`), "Unsupported value"},
		{"a message of two lines", put(rule+"/message", `"ask\nfirst"`), ""},
		{"a message with an escape", put(rule+"/message", `"\u001b[2J"`), "rules[0].message"},
		{"a message that reads backwards", put(rule+"/message", `"a\u202eb"`), "rules[0].message"},
		{"a message that is too long", put(rule+"/message", text(513)), "rules[0].message"},
	})
}

func TestREV4_AnAccessPolicySaysWhoReviews(t *testing.T) {
	t.Parallel()
	const (
		review       = "/spec/review"
		requirements = review + "/requirements"
		nobody       = "name at least one requirement, or say autoApprove explicitly"
		onlyTheTasks = "fromTask cannot be in every requirement"
		whoMay       = "say who may fill it"
	)
	creations(t, policy, []row{
		{"no review", del(review), "review: Required value"},
		{"an empty review", put(review, "{}"), nobody},
		{"an empty list of requirements", put(requirements, "[]"), nobody},
		{"autoApprove alone", put(review, `{"autoApprove":"task.type == 'read'"}`), ""},
		{"autoApprove with no requirements", put(review, `{"autoApprove":"true","requirements":[]}`), ""},
		{"an empty autoApprove", put(review, `{"autoApprove":""}`), "autoApprove"},
		{"an autoApprove that is too long", put(review, `{"autoApprove":`+text(4097)+`}`), "autoApprove"},
		{"two requirements", put(requirements+"/-", `{"name":"owner","users":["olga"]}`), ""},
		{"nine requirements", put(requirements, list(9, `{"name":"r%d","groups":["dba"]}`)), "requirements: Too many"},
		{"two requirements of one name", put(requirements+"/-", `{"name":"dba","users":["olga"]}`), "Duplicate value"},
		{"a requirement without a name", put(requirements+"/0/name", `""`), "requirements[0].name"},
		{"a requirement's name in capitals", put(requirements+"/0/name", `"DBA"`), "requirements[0].name"},
		{"a requirement's name that is too long", put(requirements+"/0/name", text(64)), "requirements[0].name"},
		{"a requirement that nobody fills", swap(requirements+"/0", `{"name":"dba"}`), whoMay},
		{"a requirement with empty lists", swap(requirements+"/0", `{"name":"dba","users":[],"groups":[]}`), whoMay},
		{"the task's reviewer and another", put(requirements+"/-", `{"name":"task","fromTask":"Reviewer"}`), ""},
		{"the task's reviewer alone", put(requirements, `[{"name":"task","fromTask":"Reviewer"}]`), onlyTheTasks},
		{"the task's reviewer or a user, alone", put(requirements, `[{"name":"task","fromTask":"Reviewer","users":["alice"]}]`), onlyTheTasks},
		{"the task's reviewer or a group, twice", put(requirements, `[{"name":"a","fromTask":"Reviewer","groups":["dba"]},{"name":"b","fromTask":"Reviewer"}]`), onlyTheTasks},
		{"two of the task's one reviewer", put(requirements+"/-", `{"name":"task","fromTask":"Reviewer","count":2}`), "a task names one reviewer"},
		{"an unknown person of the task", put(requirements+"/-", `{"name":"task","fromTask":"Assignee"}`), "Unsupported value"},
		{"two of two users", swap(requirements+"/0", `{"name":"dba","users":["a","b"],"count":2}`), ""},
		{"three of two users", swap(requirements+"/0", `{"name":"dba","users":["a","b"],"count":3}`), "count is more than the users that may fill it"},
		{"three of two users or a group", swap(requirements+"/0", `{"name":"dba","users":["a","b"],"groups":["dba"],"count":3}`), ""},
		{"a count of 0", put(requirements+"/0/count", "0"), "requirements[0].count"},
		{"a count of 9", put(requirements+"/0/count", "9"), "requirements[0].count"},
		{"a user twice", put(requirements+"/0/users", `["a","a"]`), "Duplicate value"},
		{"a user without a name", put(requirements+"/0/users", `[""]`), "users[0]"},
		{"a user whose name is too long", put(requirements+"/0/users", "["+text(254)+"]"), "users[0]"},
		{"65 users", put(requirements+"/0/users", list(65, `"u%d"`)), "users: Too many"},
		{"a group twice", put(requirements+"/0/groups", `["a","a"]`), "Duplicate value"},
		{"a group without a name", put(requirements+"/0/groups", `[""]`), "groups[0]"},
		{"a group whose name is too long", put(requirements+"/0/groups", "["+text(254)+"]"), "groups[0]"},
		{"65 groups", put(requirements+"/0/groups", list(65, `"g%d"`)), "groups: Too many"},
		{"a review of 4 seconds", put(review+"/expiresAfterSeconds", "4"), "expiresAfterSeconds"},
		{"a review of more than a week", put(review+"/expiresAfterSeconds", "604801"), "expiresAfterSeconds"},
	})
}

func TestAnAccessPolicyBoundsItsSessions(t *testing.T) {
	t.Parallel()
	creations(t, policy, []row{
		{"a task of 4 seconds", put("/spec/session", `{"maxDurationSeconds":4}`), "maxDurationSeconds"},
		{"a task of more than a day", put("/spec/session", `{"maxDurationSeconds":86401}`), "maxDurationSeconds"},
		{"never idle", put("/spec/session", `{"idleSeconds":0}`), ""},
		{"negatively idle", put("/spec/session", `{"idleSeconds":-1}`), "idleSeconds"},
		{"idle for more than a day", put("/spec/session", `{"idleSeconds":86401}`), "idleSeconds"},
		{"no session at once", put("/spec/session", `{"maxConcurrent":0}`), "maxConcurrent"},
		{"65 sessions at once", put("/spec/session", `{"maxConcurrent":65}`), "maxConcurrent"},
		{"no patience with the manager", put("/spec/session", `{"controlLossSeconds":4}`), "controlLossSeconds"},
		{"too much patience with the manager", put("/spec/session", `{"controlLossSeconds":3601}`), "controlLossSeconds"},
		{"records on the disk", put("/spec/recording", `{"durability":"Disk"}`), ""},
		{"records far away", put("/spec/recording", `{"durability":"Remote"}`), ""},
		{"records in nobody's care", put("/spec/recording", `{"durability":"None"}`), "Unsupported value"},
		{"isolation reported", put("/spec/isolation", `"Reported"`), ""},
		{"isolation ignored", put("/spec/isolation", `"Ignored"`), "Unsupported value"},
	})
}

func TestAnAccessPolicyIsStrictByDefault(t *testing.T) {
	t.Parallel()
	spec := accepted(t, policy, del("/spec/grant/postgres/relations/0/schema")).Object["spec"].(map[string]any)
	got := map[string]any{
		"session": spec["session"], "recording": spec["recording"], "isolation": spec["isolation"], "review": spec["review"],
		"relations": spec["grant"].(map[string]any)["postgres"].(map[string]any)["relations"],
	}
	want := map[string]any{
		"session":   map[string]any{"maxDurationSeconds": int64(3600), "maxConcurrent": int64(4), "controlLossSeconds": int64(60)},
		"recording": map[string]any{"durability": "Process"},
		"isolation": "Required",
		"review": map[string]any{
			"expiresAfterSeconds": int64(3600),
			"requirements":        []any{map[string]any{"name": "dba", "groups": []any{"dba"}, "count": int64(1)}},
		},
		"relations": []any{map[string]any{"schema": "public", "name": "orders", "privileges": []any{"SELECT"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}
