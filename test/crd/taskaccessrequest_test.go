package crd_test

import (
	"testing"

	"github.com/sallyport/sallyport/internal/apitest"
)

const request = `
apiVersion: access.sallyport.dev/v1alpha1
kind: TaskAccessRequest
metadata: {name: pay-1423}
spec:
  requester: {username: bob, groups: [engineering]}
  task: {id: PAY-1423, type: data-fix}
  target: orders
  reason: wrong currency
  durationSeconds: 1800
`

const fullRequest = request + `
  policy: orders-fix
  clientKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB bob@laptop"]
  grant:
    postgres: {database: orders, relations: [{name: orders, privileges: [SELECT]}]}
`

func TestATaskAccessRequestSaysWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	const requester, task = "/spec/requester", "/spec/task"
	creations(t, request, []row{
		{"as it stands", "", ""},
		{"a name of 64 characters", put("/metadata/name", text(64)), "name has at most 63 characters"},
		{"no spec", del("/spec"), "spec: Required value"},
		{"a field that nobody enforces", put("/spec/approved", "true"), "unknown field"},
		{"no requester", del(requester), "requester: Required value"},
		{"a requester without a name", put(requester+"/username", `""`), "requester.username"},
		{"a requester whose name is too long", put(requester+"/username", text(254)), "requester.username"},
		{"a uid that is too long", put(requester+"/uid", text(254)), "requester.uid"},
		{"257 groups", put(requester+"/groups", list(257, `"g%d"`)), "requester.groups: Too many"},
		{"a group whose name is too long", put(requester+"/groups", "["+text(254)+"]"), "requester.groups[0]"},
		{"no task", del(task), "task: Required value"},
		{"a task without an id", put(task+"/id", `""`), "task.id"},
		{"the id of an issue elsewhere", put(task+"/id", `"acme/shop#12"`), ""},
		{"an id that is an option", put(task+"/id", `"-rf"`), "task.id"},
		{"an id with a blank", put(task+"/id", `"PAY 1"`), "task.id"},
		{"an id that is too long", put(task+"/id", text(64)), "task.id"},
		{"a type in capitals", put(task+"/type", `"Read"`), "task.type"},
		{"a type that is empty", put(task+"/type", `""`), "task.type"},
		{"a type that is too long", put(task+"/type", text(64)), "task.type"},
		{"a url", put(task+"/url", `"https://tracker.example/PAY-1423?x=1"`), ""},
		{"a url that runs", put(task+"/url", `"javascript:alert(1)"`), "task.url"},
		{"a url with an escape", put(task+"/url", `"https://x/\u001b]8;;"`), "task.url"},
		{"a url with a blank", put(task+"/url", `"https://x/ y"`), "task.url"},
		{"a url that is too long", put(task+"/url", `"https://`+text(1020)[1:]), "task.url"},
		{"a reviewer", put(task+"/reviewer", `"carol@example.com"`), ""},
		{"a reviewer on two lines", put(task+"/reviewer", `"carol\nalice"`), "task.reviewer"},
		{"a reviewer who reads backwards", put(task+"/reviewer", `"\u202elorac"`), "task.reviewer"},
		{"a reviewer whose name is too long", put(task+"/reviewer", text(254)), "task.reviewer"},
		{"no target", del("/spec/target"), "target: Required value"},
		{"an empty target", put("/spec/target", `""`), "spec.target"},
		{"a target of another namespace", put("/spec/target", `"other/orders"`), "spec.target"},
		{"a target that is too long", put("/spec/target", text(64)), "spec.target"},
		{"a policy by name", put("/spec/policy", `"orders-fix"`), ""},
		{"an empty policy", put("/spec/policy", `""`), "spec.policy"},
		{"a policy of another namespace", put("/spec/policy", `"other/orders-fix"`), "spec.policy"},
		{"a policy that is too long", put("/spec/policy", text(64)), "spec.policy"},
		{"no reason", del("/spec/reason"), "reason: Required value"},
		{"an empty reason", put("/spec/reason", `""`), "spec.reason"},
		{"a reason of two lines, in any script", put("/spec/reason", `"löschen\n修复"`), ""},
		{"a reason with an escape", put("/spec/reason", `"\u001b[1A\u001b[2K"`), "spec.reason"},
		{"a reason that returns the carriage", put("/spec/reason", `"drop\rread"`), "spec.reason"},
		{"a reason that reads backwards", put("/spec/reason", `"\u2066drop\u2069"`), "spec.reason"},
		{"a reason that is too long", put("/spec/reason", text(1025)), "spec.reason"},
		{"no duration", del("/spec/durationSeconds"), "durationSeconds: Required value"},
		{"4 seconds", put("/spec/durationSeconds", "4"), "spec.durationSeconds"},
		{"more than a day", put("/spec/durationSeconds", "86401"), "spec.durationSeconds"},
		{"a grant of no protocol", put("/spec/grant", "{}"), "exactly one of: postgres"},
		{"a narrower grant", put("/spec/grant", `{"postgres":{"database":"orders"}}`), ""},
		{"an unknown state", put("/spec/state", `"Paused"`), "Unsupported value"},
	})
}

func TestATaskAccessRequestsKeysAreBare(t *testing.T) {
	t.Parallel()
	const keys, key = "/spec/clientKeys", `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB`
	creations(t, request, []row{
		{"an Ed25519 key", put(keys, `["`+key+`"]`), ""},
		{"with a comment", put(keys, `["`+key+` bob at the laptop"]`), ""},
		{"an ECDSA key", put(keys, `["ecdsa-sha2-nistp256 AAAAE2VjZHNh="]`), ""},
		{"an RSA key", put(keys, `["ssh-rsa AAAAB3NzaC1yc2E=="]`), ""},
		{"a DSA key", put(keys, `["ssh-dss AAAAB3NzaC1kc3M="]`), "clientKeys[0]"},
		{"a certificate", put(keys, `["ssh-ed25519-cert-v01@openssh.com AAAA"]`), "clientKeys[0]"},
		{"options in front", put(keys, `["command=\"sh\" `+key+`"]`), "clientKeys[0]"},
		{"two keys on two lines", put(keys, `["`+key+`\n`+key+`"]`), "clientKeys[0]"},
		{"a comment with an escape", put(keys, `["`+key+` \u001b[2J"]`), "clientKeys[0]"},
		{"too short", put(keys, `["ssh-rsa AAAA"]`), "clientKeys[0]"},
		{"too long", put(keys, `["ssh-rsa `+text(2048)[1:]+`]`), "clientKeys[0]"},
		{"one key twice", put(keys, `["`+key+`","`+key+`"]`), "Duplicate value"},
		{"nine keys", put(keys, list(9, `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5%d"`)), "clientKeys: Too many"},
	})
}

func TestREV2_ATaskAccessRequestIsImmutableButForItsState(t *testing.T) {
	t.Parallel()
	const grant = `{"postgres":{"database":"orders"}}`
	changes := []row{
		{"another requester", put("/spec/requester/username", `"alice"`), "requester is immutable"},
		{"a uid that appears", put("/spec/requester/uid", `"x"`), "requester is immutable"},
		{"another group", put("/spec/requester/groups/-", `"dba"`), "requester is immutable"},
		{"groups that disappear", del("/spec/requester/groups"), "requester is immutable"},
		{"another task", put("/spec/task/id", `"PAY-1"`), "task is immutable"},
		{"another type of task", put("/spec/task/type", `"read"`), "task is immutable"},
		{"a url that appears", put("/spec/task/url", `"https://x"`), "task is immutable"},
		{"a reviewer who appears", put("/spec/task/reviewer", `"mallory"`), "task is immutable"},
		{"another target", put("/spec/target", `"payroll"`), "target is immutable"},
		{"another reason", put("/spec/reason", `"because"`), "reason is immutable"},
		{"another duration", put("/spec/durationSeconds", "86400"), "durationSeconds is immutable"},
		{"it is closed", put("/spec/state", `"Closed"`), ""},
		{"its state is left out", del("/spec/state"), ""},
	}
	updates(t, request, append(changes, []row{
		{"a policy that appears", put("/spec/policy", `"orders-fix"`), "a request is immutable but for state"},
		{"keys that appear", put("/spec/clientKeys", `["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB"]`), "a request is immutable but for state"},
		{"a grant that appears", put("/spec/grant", grant), "a request is immutable but for state"},
	}...))
	updates(t, fullRequest, append(changes, []row{
		{"another policy", put("/spec/policy", `"orders-all"`), "policy is immutable"},
		{"a policy that disappears", del("/spec/policy"), "a request is immutable but for state"},
		{"another key", swap("/spec/clientKeys/0", `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5BBBBIB"`), "clientKeys are immutable"},
		{"one more key", put("/spec/clientKeys/-", `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5BBBBIB"`), "clientKeys are immutable"},
		{"keys that disappear", del("/spec/clientKeys"), "a request is immutable but for state"},
		{"a wider grant", put("/spec/grant", grant), "grant is immutable"},
		{"one privilege more", put("/spec/grant/postgres/relations/0/privileges/-", `"DELETE"`), "grant is immutable"},
		{"a grant that disappears", del("/spec/grant"), "a request is immutable but for state"},
	}...))
}

func TestAClosedTaskAccessRequestStaysClosed(t *testing.T) {
	t.Parallel()
	c := apitest.Start(t).Client
	for name, patch := range map[string]string{
		"opened again":           put("/spec/state", `"Open"`),
		"left out, so Open":      del("/spec/state"),
		"null, so Open":          put("/spec/state", "null"),
		"in a spec written anew": put("/spec", `{"requester":{"username":"bob","groups":["engineering"]},"task":{"id":"PAY-1423","type":"data-fix"},"target":"orders","reason":"wrong currency","durationSeconds":1800}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := stored(t, request)
			apitest.Judge(t, c.Patch(within(t), object, rawPatch(put("/spec/state", `"Closed"`))), "")
			apitest.Judge(t, c.Patch(within(t), object, rawPatch(patch)), "a closed request stays closed")
		})
	}
}

func TestATaskAccessRequestIsOpenByDefault(t *testing.T) {
	t.Parallel()
	if state := accepted(t, request, "").Object["spec"].(map[string]any)["state"]; state != "Open" {
		t.Errorf("state is %v, want Open", state)
	}
}

func TestREV3_ATaskAccessRequestsEndIsFinal(t *testing.T) {
	t.Parallel()
	c := apitest.Start(t).Client
	const want = "an end is final"
	for _, row := range []row{
		{"for another reason", put("/status/ended/reason", `"Closed"`), want},
		{"in other words", put("/status/ended/message", `"never mind"`), want},
		{"it disappears", del("/status/ended"), want},
		{"it disappears with the status", del("/status"), want},
		{"what is beside it changes", put("/status/review", `"x"`), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			object := stored(t, request)
			ended := `{"ended":{"reason":"Denied","message":"by alice","at":"2030-01-01T00:00:00Z"}}`
			apitest.Judge(t, c.Status().Patch(within(t), object, rawPatch(put("/status", ended))), "")
			apitest.Judge(t, c.Status().Patch(within(t), object, rawPatch(row.patch)), row.want)
		})
	}
}
