package crd_test

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

const review = `
apiVersion: access.sallyport.dev/v1alpha1
kind: ApprovalReview
metadata: {name: pay-1423}
spec:
  question:
    subject: {kind: Request, request: {name: pay-1423, uid: u1, digest: "v1:sha256:00"}}
    requester: {username: bob}
    task: {id: PAY-1423, type: data-fix}
    reason: wrong currency
    durationSeconds: 1800
    policy: {name: orders-fix, uid: u2, digest: "v1:sha256:00"}
    target: {name: orders, uid: u3, digest: "v1:sha256:00"}
    grant: {postgres: {database: orders}}
    requirements: [{name: dba, groups: [dba]}]
    expiresAt: "2030-01-01T00:00:00Z"
  decisions:
  - {reviewer: alice, groups: [dba], verdict: Approve}
`

// held is the operation of a review of kind Statement, in JSON.
const held = `{"id":"s1/7","point":"Statement","digest":"` + digest + `","rule":"look","kind":"delete","text":"DELETE FROM orders"}`

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestAnApprovalReviewShowsAHeldOperation(t *testing.T) {
	t.Parallel()
	const (
		subject   = "/spec/question/subject"
		operation = subject + "/held"
	)
	statement := put(subject+"/kind", `"Statement"`) + "," + put(operation, held)
	with := func(field, value string) string { return statement + "," + put(operation+field, value) }
	effect := func(fields string) string { return with("/effects", `[{"relation":"public.orders"`+fields+`}]`) }
	creations(t, review, []row{
		{"as it stands", statement, ""},
		{"at its commit, with effects", with("/point", `"Commit"`) + "," + put(operation+"/effects", `[{"relation":"public.orders","updated":3,"images":[{"before":"{}","after":"{}"}],"note":"3 of 3"}]`), ""},
		{"kind Statement without an operation", put(subject+"/kind", `"Statement"`), "held belongs to kind: Statement"},
		{"an operation of kind Request", put(operation, held), "held belongs to kind: Statement"},
		{"an operation without an id", with("/id", `""`), "held.id"},
		{"an id that is too long", with("/id", text(65)), "held.id"},
		{"held at another point", with("/point", `"Anywhere"`), "Unsupported value"},
		{"without a digest", statement + "," + del(operation+"/digest"), "digest: Required value"},
		{"a digest that is too short", with("/digest", text(63)), "held.digest"},
		{"without a rule", statement + "," + del(operation+"/rule"), "rule: Required value"},
		{"without a kind", statement + "," + del(operation+"/kind"), "kind: Required value"},
		{"without a text", statement + "," + del(operation+"/text"), "text: Required value"},
		{"the longest text", with("/text", text(16384)), ""},
		{"a text that is too long", with("/text", text(16385)), "held.text"},
		{"two equal values", with("/values", `["'a'","'a'"]`), ""},
		{"257 values", with("/values", list(257, `"v%d"`)), "values: Too many"},
		{"a value that is too long", with("/values", "["+text(16385)+"]"), "held.values[0]"},
		{"129 relations read", with("/reads", list(129, `"a.r%d"`)), "reads: Too many"},
		{"129 relations written", with("/writes", list(129, `"a.r%d"`)), "writes: Too many"},
		{"fewer than no rows", with("/estimatedRows", "-1"), "estimatedRows"},
		{"no rows", with("/estimatedRows", "0"), ""},
		{"17 warnings", with("/warnings", list(17, `"w%d"`)), "warnings: Too many"},
		{"a relation's effect twice", with("/effects", `[{"relation":"a.b"},{"relation":"a.b"}]`), "Duplicate value"},
		{"65 relations' effects", with("/effects", list(65, `{"relation":"a.r%d"}`)), "effects: Too many"},
		{"fewer than no rows inserted", effect(`,"inserted":-1`), "inserted"},
		{"51 images", effect(`,"images":` + list(51, `{"after":"%d"}`)), "images: Too many"},
		{"an image that is too long", effect(`,"images":[{"after":` + text(2049) + `}]`), "after"},
		{"a field that nobody enforces", with("/plan", `"Seq Scan"`), "unknown field"},
	})
}

func TestAnApprovalReviewAsksOneQuestion(t *testing.T) {
	t.Parallel()
	const question, decision = "/spec/question", "/spec/decisions/0"
	creations(t, review, []row{
		{"as it stands", "", ""},
		{"no spec", del("/spec"), "spec: Required value"},
		{"a field that nobody enforces", put(question+"/statement", "{}"), "unknown field"},
		{"no question", del(question), "question: Required value"},
		{"a question about nothing", del(question + "/subject"), "subject: Required value"},
		{"a subject that is not served", put(question+"/subject/kind", `"PostReview"`), "Unsupported value"},
		{"a question of nobody", del(question + "/requester"), "requester: Required value"},
		{"a question without a task", del(question + "/task"), "task: Required value"},
		{"a question without a reason", del(question + "/reason"), "reason: Required value"},
		{"a reason that is too long", put(question+"/reason", text(1025)), "question.reason"},
		{"a question without a duration", del(question + "/durationSeconds"), "durationSeconds: Required value"},
		{"a question under no policy", del(question + "/policy"), "policy: Required value"},
		{"a policy without a digest", del(question + "/policy/digest"), "digest: Required value"},
		{"a policy without a uid", del(question + "/policy/uid"), "uid: Required value"},
		{"a policy without a name", del(question + "/policy/name"), "name: Required value"},
		{"a question about no target", del(question + "/target"), "target: Required value"},
		{"a question about no grant", del(question + "/grant"), "grant: Required value"},
		{"a question about an empty grant", put(question+"/grant", "{}"), "exactly one of: postgres"},
		{"a question without a deadline", del(question + "/expiresAt"), "expiresAt: Required value"},
		{"a deadline that is no time", put(question+"/expiresAt", `"soon"`), "expiresAt"},
		{"one person twice", put("/spec/decisions/-", `{"reviewer":"alice","verdict":"Deny"}`), "Duplicate value"},
		{"two people", put("/spec/decisions/-", `{"reviewer":"carol","verdict":"Deny"}`), ""},
		{"65 people", put("/spec/decisions", list(65, `{"reviewer":"r%d","verdict":"Deny"}`)), "decisions: Too many"},
		{"a decision of nobody", put(decision+"/reviewer", `""`), "decisions[0].reviewer"},
		{"a reviewer whose name is too long", put(decision+"/reviewer", text(254)), "decisions[0].reviewer"},
		{"a uid that is too long", put(decision+"/uid", text(254)), "decisions[0].uid"},
		{"257 groups", put(decision+"/groups", list(257, `"g%d"`)), "groups: Too many"},
		{"a group whose name is too long", put(decision+"/groups", "["+text(254)+"]"), "groups[0]"},
		{"no verdict", del(decision + "/verdict"), "verdict: Required value"},
		{"an unknown verdict", put(decision+"/verdict", `"Perhaps"`), "Unsupported value"},
		{"a message", put(decision+"/message", `"looks right,\ngo on"`), ""},
		{"a message with an escape", put(decision+"/message", `"\u001b[2J"`), "decisions[0].message"},
		{"a message that reads backwards", put(decision+"/message", `"\u202eno"`), "decisions[0].message"},
		{"a message that is too long", put(decision+"/message", text(1025)), "decisions[0].message"},
	})
}

// Two reviewers who race with JSON Patch `add` need a list to add to.
func TestAnApprovalReviewAlwaysHasAListOfDecisions(t *testing.T) {
	t.Parallel()
	for name, patch := range map[string]string{
		"left out": del("/spec/decisions"), "null": put("/spec/decisions", "null"), "empty": put("/spec/decisions", "[]"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decisions, found, err := unstructured.NestedSlice(accepted(t, review, patch).Object, "spec", "decisions")
			if err != nil || !found || len(decisions) != 0 {
				t.Errorf("decisions are %v (found %v, %v), want an empty list", decisions, found, err)
			}
		})
	}
	t.Run("from Go", func(t *testing.T) {
		t.Parallel()
		content, err := json.Marshal(v1alpha1.ApprovalReviewSpec{Decisions: []v1alpha1.Decision{}})
		if err != nil || !strings.Contains(string(content), `"decisions":[]`) {
			t.Errorf("encoded as %s (%v), want an empty list", content, err)
		}
	})
}

func TestREV2_AnApprovalReviewsQuestionIsImmutable(t *testing.T) {
	t.Parallel()
	const question, want = "/spec/question", "question is immutable"
	updates(t, review, []row{
		{"another request", put(question+"/subject/request/uid", `"u9"`), want},
		{"another requester", put(question+"/requester/username", `"mallory"`), want},
		{"a requester's group that appears", put(question+"/requester/groups", `["dba"]`), want},
		{"another task", put(question+"/task/id", `"PAY-1"`), want},
		{"another reason", put(question+"/reason", `"because"`), want},
		{"another duration", put(question+"/durationSeconds", "1"), want},
		{"another policy", put(question+"/policy/name", `"orders-read"`), want},
		{"another digest", put(question+"/policy/digest", `"v1:sha256:01"`), want},
		{"another target", put(question+"/target/name", `"payroll"`), want},
		{"a wider grant", put(question+"/grant/postgres/relations", `[{"name":"r","privileges":["DELETE"]}]`), want},
		{"fewer seats", put(question+"/requirements", "[]"), want},
		{"no seats", del(question + "/requirements"), want},
		{"another seat", put(question+"/requirements/0/groups/-", `"interns"`), want},
		{"a later deadline", put(question+"/expiresAt", `"2031-01-01T00:00:00Z"`), want},
	})
}

func TestREV3_DecisionsOfAnApprovalReviewAreFinal(t *testing.T) {
	t.Parallel()
	const decision, changed, takenBack = "/spec/decisions/0", "decisions are final: none can be changed", "decisions are final: none can be taken back"
	updates(t, review, []row{
		{"one more person decides", put("/spec/decisions/-", `{"reviewer":"carol","verdict":"Deny"}`), ""},
		{"the verdict changes", put(decision+"/verdict", `"Deny"`), changed},
		{"a message appears", put(decision+"/message", `"on second thought"`), changed},
		{"a uid appears", put(decision+"/uid", `"x"`), changed},
		{"the groups change", put(decision+"/groups/-", `"security"`), changed},
		{"the groups disappear", del(decision + "/groups"), changed},
		{"the reviewer changes", put(decision+"/reviewer", `"carol"`), takenBack},
		{"the decision is taken back", del(decision), takenBack},
		{"all decisions are taken back", del("/spec/decisions"), takenBack},
		{"one makes room for another", swap(decision, `{"reviewer":"carol","verdict":"Approve"}`), takenBack},
	})
}

func TestREV3_AnApprovalReviewsOutcomeIsTerminal(t *testing.T) {
	t.Parallel()
	c := apitest.Start(t).Client
	const want = "an outcome is terminal"
	for _, row := range []row{
		{"it becomes another", put("/status/outcome", `"Approved"`), want},
		{"it disappears", del("/status/outcome"), want},
		{"it disappears with the status", del("/status"), want},
		{"it is none", put("/status/outcome", `"Perhaps"`), "Unsupported value"},
		{"it is as it was", put("/status/missing", `["1 of dba"]`), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			object := stored(t, review)
			apitest.Judge(t, c.Status().Patch(within(t), object, rawPatch(put("/status", `{"outcome":"Denied"}`))), "")
			apitest.Judge(t, c.Status().Patch(within(t), object, rawPatch(row.patch)), row.want)
		})
	}
}
