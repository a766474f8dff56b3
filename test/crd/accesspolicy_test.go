package crd_test

import (
	"strings"
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
		{"a field that nobody enforces", put("/spec/quotas", "{}"), "unknown field"},
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
		{"everything", put(postgres, `{"database":"orders","unrestricted":true}`), ""},
		{"everything, and a relation", put(postgres+"/unrestricted", "true"), "unrestricted names nothing else"},
		{"everything, and a sequence", put(postgres, `{"database":"orders","unrestricted":true,"sequences":["a.b"]}`), "unrestricted names nothing else"},
		{"everything, and a function", put(postgres, `{"database":"orders","unrestricted":true,"functions":["a.b"]}`), "unrestricted names nothing else"},
		{"everything, and empty lists", put(postgres, `{"database":"orders","unrestricted":true,"relations":[],"sequences":[],"functions":[]}`), ""},
		{"not everything, and a relation", put(postgres+"/unrestricted", "false"), ""},
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
		{"a rule with effect HoldCommit", put(rule+"/effect", `"HoldCommit"`), ""},
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

func TestREV4_AnAccessPolicySaysWhoAnswersHolds(t *testing.T) {
	t.Parallel()
	const (
		hold     = "/spec/hold"
		unasked  = "a rule holds operations: name who answers"
		theTasks = "fromTask cannot be in every requirement"
	)
	held := put("/spec/rules/0/effect", `"Hold"`) + "," + put("/spec/review", `{"autoApprove":"true"}`)
	gated := put("/spec/rules/0/effect", `"HoldCommit"`) + "," + put("/spec/review", `{"autoApprove":"true"}`)
	creations(t, policy, []row{
		{"nothing said of holds", del("/spec/rules"), ""},
		{"an empty hold", put(hold, "{}"), ""},
		{"a hold that nobody answers", held, unasked},
		{"a held commit that nobody answers", gated, unasked},
		{"a hold that an empty list answers", held + "," + put(hold, `{"requirements":[]}`), unasked},
		{"a hold with its own requirements", held + "," + put(hold, `{"requirements":[{"name":"dba","groups":["dba"]}]}`), ""},
		{"a held commit with its own requirements", gated + "," + put(hold, `{"requirements":[{"name":"dba","groups":["dba"]}]}`), ""},
		{"autoApprove, and no rule that holds", put("/spec/review", `{"autoApprove":"true"}`), ""},
		{"the task's reviewer alone", put(hold, `{"requirements":[{"name":"task","fromTask":"Reviewer"}]}`), theTasks},
		{"the task's reviewer and another", put(hold, `{"requirements":[{"name":"task","fromTask":"Reviewer"},{"name":"dba","groups":["dba"]}]}`), ""},
		{"a requirement that nobody fills", put(hold, `{"requirements":[{"name":"dba"}]}`), "say who may fill it"},
		{"two requirements of one name", put(hold, `{"requirements":[{"name":"a","users":["x"]},{"name":"a","users":["y"]}]}`), "Duplicate value"},
		{"nine requirements", put(hold, `{"requirements":`+list(9, `{"name":"r%d","groups":["dba"]}`)+`}`), "requirements: Too many"},
		{"held for 4 seconds", put(hold, `{"timeoutSeconds":4}`), "timeoutSeconds"},
		{"held for more than an hour", put(hold, `{"timeoutSeconds":3601}`), "timeoutSeconds"},
		{"a commit held for 4 seconds", put(hold, `{"commitTimeoutSeconds":4}`), "commitTimeoutSeconds"},
		{"a commit held for more than an hour", put(hold, `{"commitTimeoutSeconds":3601}`), "commitTimeoutSeconds"},
		{"no wait for locks", put(hold, `{"lockTimeoutSeconds":0}`), "lockTimeoutSeconds"},
		{"too long a wait for locks", put(hold, `{"lockTimeoutSeconds":601}`), "lockTimeoutSeconds"},
		{"no time for statements", put(hold, `{"statementTimeoutSeconds":0}`), "statementTimeoutSeconds"},
		{"too much time for statements", put(hold, `{"statementTimeoutSeconds":3601}`), "statementTimeoutSeconds"},
		{"none held at once", put(hold, `{"maxOpen":0}`), "maxOpen"},
		{"33 held at once", put(hold, `{"maxOpen":33}`), "maxOpen"},
		{"no row images", put(hold, `{"rowImages":0}`), ""},
		{"fewer than no row images", put(hold, `{"rowImages":-1}`), "rowImages"},
		{"51 row images", put(hold, `{"rowImages":51}`), "rowImages"},
	})
}

func TestAnAccessPolicyMasksNamedColumnsAndForms(t *testing.T) {
	t.Parallel()
	const masking = "/spec/masking"
	columns := func(items string) string { return put(masking, `{"columns":[`+items+`]}`) }
	column := func(mask string) string { return columns(`{"relation":"orders","column":"card","mask":` + mask + `}`) }
	detectors := func(items string) string { return put(masking, `{"detectors":[`+items+`]}`) }
	creations(t, policy, []row{
		{"nothing masked", put(masking, "{}"), ""},
		{"a column", columns(`{"relation":"orders","column":"card"}`), ""},
		{"a column of another schema", columns(`{"schema":"audit","relation":"orders","column":"card"},{"relation":"orders","column":"card"}`), ""},
		{"a column twice", columns(`{"relation":"orders","column":"card"},{"schema":"public","relation":"orders","column":"card"}`), "Duplicate value"},
		{"a column without a relation", columns(`{"column":"card"}`), "relation: Required value"},
		{"a relation without a column", columns(`{"relation":"orders"}`), "column: Required value"},
		{"a column without a name", columns(`{"relation":"orders","column":""}`), "columns[0].column"},
		{"a column with a control character", columns(`{"relation":"orders","column":"a\u0007"}`), "columns[0].column"},
		{"a column that is too long", columns(`{"relation":"orders","column":` + text(64) + `}`), "columns[0].column"},
		{"257 columns", put(masking, `{"columns":`+list(257, `{"relation":"orders","column":"c%d"}`)+`}`), "columns: Too many"},
		{"a mask that keeps some", column(`{"how":"Partial","keepLast":4}`), ""},
		{"a mask that keeps some, and not how many", column(`{"how":"Partial"}`), "keepLast belongs to how: Partial"},
		{"a mask that keeps none", column(`{"how":"Partial","keepLast":0}`), "keepLast"},
		{"a mask that keeps too much", column(`{"how":"Partial","keepLast":17}`), "keepLast"},
		{"a mask that redacts and keeps", column(`{"keepLast":4}`), "keepLast belongs to how: Partial"},
		{"a mask that hashes", column(`{"how":"Hash"}`), ""},
		{"a mask that leaves nothing", column(`{"how":"Null"}`), ""},
		{"a mask with a value of its own", column(`{"how":"Constant","constant":"n/a"}`), ""},
		{"a mask with an empty value of its own", column(`{"how":"Constant","constant":""}`), ""},
		{"a mask without its value", column(`{"how":"Constant"}`), "constant belongs to how: Constant"},
		{"a mask that hashes a value of its own", column(`{"how":"Hash","constant":"n/a"}`), "constant belongs to how: Constant"},
		{"a mask whose value is too long", column(`{"how":"Constant","constant":` + text(257) + `}`), "constant"},
		{"a mask in a way that nobody knows", column(`{"how":"Blur"}`), "Unsupported value"},
		{"every detector", detectors(`{"name":"a","detect":"PaymentCard"},{"name":"b","detect":"Email"},{"name":"c","detect":"Phone"},{"name":"d","detect":"IBAN"},` +
			`{"name":"e","detect":"NationalID"},{"name":"f","detect":"IPAddress"},{"name":"g","detect":"JWT"},{"name":"h","detect":"PrivateKey"},{"name":"i","detect":"CloudKey"},` +
			`{"name":"j","detect":"Pattern","pattern":"ticket-[0-9]+"}`), ""},
		{"a detector of something unknown", detectors(`{"name":"a","detect":"Face"}`), "Unsupported value"},
		{"a detector without a name", detectors(`{"detect":"Email"}`), "name: Required value"},
		{"a detector's name in capitals", detectors(`{"name":"Mail","detect":"Email"}`), "detectors[0].name"},
		{"two detectors of one name", detectors(`{"name":"a","detect":"Email"},{"name":"a","detect":"IBAN"}`), "Duplicate value"},
		{"33 detectors", put(masking, `{"detectors":`+list(33, `{"name":"d%d","detect":"Email"}`)+`}`), "detectors: Too many"},
		{"a pattern that is not there", detectors(`{"name":"a","detect":"Pattern"}`), "pattern belongs to detect: Pattern"},
		{"a pattern beside a form", detectors(`{"name":"a","detect":"Email","pattern":"abc"}`), "pattern belongs to detect: Pattern"},
		{"a pattern that is too short", detectors(`{"name":"a","detect":"Pattern","pattern":"ab"}`), "pattern"},
		{"a pattern that is too long", detectors(`{"name":"a","detect":"Pattern","pattern":` + text(513) + `}`), "pattern"},
		{"inference allowed", put(masking, `{"inference":"Allowed"}`), ""},
		{"inference encouraged", put(masking, `{"inference":"Encouraged"}`), "Unsupported value"},
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
		{"isolation reported", put("/spec/isolation", `"Reported"`), ""},
		{"isolation ignored", put("/spec/isolation", `"Ignored"`), "Unsupported value"},
	})
}

func TestAnAccessPolicySaysHowSessionsAreRecorded(t *testing.T) {
	t.Parallel()
	const (
		recording = "/spec/recording"
		recipient = `"age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"`
		bucket    = "durability Remote needs a bucket"
	)
	recipients := func(items string) string { return put(recording, `{"encryption":{"recipients":[`+items+`]}}`) }
	creations(t, policy, []row{
		{"on the disk", put(recording, `{"durability":"Disk"}`), ""},
		{"on the disk of a bucket's proxy", put(recording, `{"durability":"Disk","store":"archive"}`), ""},
		{"far away in a bucket", put(recording, `{"durability":"Remote","store":"archive"}`), ""},
		{"far away without a bucket", put(recording, `{"durability":"Remote"}`), bucket},
		{"far away on the volume", put(recording, `{"durability":"Remote","store":"volume"}`), bucket},
		{"in nobody's care", put(recording, `{"durability":"None"}`), "Unsupported value"},
		{"on the volume by name", put(recording, `{"store":"volume"}`), ""},
		{"in a store of another namespace", put(recording, `{"store":"other/archive"}`), "recording.store"},
		{"in a store in capitals", put(recording, `{"store":"Archive"}`), "recording.store"},
		{"in a store whose name is too long", put(recording, `{"store":`+text(41)+`}`), "recording.store"},
		{"as well as can be", put(recording, `{"required":false}`), ""},
		{"no output kept", put(recording, `{"output":"Counts"}`), ""},
		{"all output kept", put(recording, `{"output":"Full"}`), ""},
		{"some output kept", put(recording, `{"output":"Some"}`), "Unsupported value"},
		{"for one reader", recipients(recipient), ""},
		{"for nobody", recipients(""), "encryption.recipients"},
		{"for a reader twice", recipients(recipient + "," + recipient), "Duplicate value"},
		{"for a reader in capitals", recipients(`"AGE1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"`), "recipients[0]"},
		{"for a secret key", recipients(`"AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"`), "recipients[0]"},
		{"for an SSH key", recipients(`"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ"`), "recipients[0]"},
		{"for 17 readers", recipients(strings.Trim(list(17, `"age1%058d"`), "[]")), "Too many"},
		{"for a year", put(recording, `{"retentionDays":365}`), ""},
		{"for ever", put(recording, `{"retentionDays":0}`), ""},
		{"for less than nothing", put(recording, `{"retentionDays":-1}`), "retentionDays"},
		{"for more than a century", put(recording, `{"retentionDays":36501}`), "retentionDays"},
		{"under a legal hold", put(recording, `{"legalHold":true}`), ""},
	})
}

func TestAnAccessPolicyIsStrictByDefault(t *testing.T) {
	t.Parallel()
	spec := accepted(t, policy, del("/spec/grant/postgres/relations/0/schema")+","+
		put("/spec/masking", `{"columns":[{"relation":"orders","column":"card"}]}`)).Object["spec"].(map[string]any)
	got := map[string]any{
		"session": spec["session"], "recording": spec["recording"], "isolation": spec["isolation"], "review": spec["review"],
		"hold": spec["hold"], "masking": spec["masking"],
		"relations": spec["grant"].(map[string]any)["postgres"].(map[string]any)["relations"],
	}
	want := map[string]any{
		"session":   map[string]any{"maxDurationSeconds": int64(3600), "maxConcurrent": int64(4), "controlLossSeconds": int64(60)},
		"recording": map[string]any{"durability": "Process", "output": "Counts"},
		"isolation": "Required",
		"review": map[string]any{
			"expiresAfterSeconds": int64(3600),
			"requirements":        []any{map[string]any{"name": "dba", "groups": []any{"dba"}, "count": int64(1)}},
		},
		"hold": map[string]any{
			"timeoutSeconds": int64(300), "commitTimeoutSeconds": int64(60), "lockTimeoutSeconds": int64(5),
			"statementTimeoutSeconds": int64(60), "maxOpen": int64(4),
		},
		"masking": map[string]any{
			"inference": "Refused",
			"columns":   []any{map[string]any{"schema": "public", "relation": "orders", "column": "card", "mask": map[string]any{"how": "Redact"}}},
		},
		"relations": []any{map[string]any{"schema": "public", "name": "orders", "privileges": []any{"SELECT"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}
