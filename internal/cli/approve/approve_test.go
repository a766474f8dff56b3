package approve

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/approvalreview"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/terminal/terminaltest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

var now = time.Date(2030, 1, 2, 10, 0, 0, 0, time.UTC)

// story is one open review, and people who may answer it.
type story struct {
	*apitest.Task
	t      *testing.T
	server *apitest.Server
}

func newStory(t *testing.T) *story {
	t.Helper()
	server := apitest.Start(t)
	return &story{Task: server.NewTask(t.Context(), t, now), t: t, server: server}
}

// person may read and answer reviews, and review under the policies that are named.
func (s *story) person(name string, groups []string, policies ...string) *rest.Config {
	s.t.Helper()
	s.server.Allow(s.t.Context(), s.t, s.Namespace, name, "approvalreviews", []string{"get", "list", "watch", "patch"})
	s.server.Allow(s.t.Context(), s.t, s.Namespace, name, "accesspolicies", []string{"get"})
	if len(policies) > 0 {
		s.server.Allow(s.t.Context(), s.t, s.Namespace, name, "accesspolicies", []string{v1alpha1.VerbReview}, policies...)
	}
	return s.server.User(s.t, name, groups...)
}

// manage counts the story's review until the test ends.
func (s *story) manage() {
	s.t.Helper()
	r := &approvalreview.Reconciler{
		Client: s.server.Client, Live: s.server.Client, Authoriser: approvalreview.AccessReviews{Client: s.server.Client},
		Events: events.NewFakeRecorder(100), Now: func() time.Time { return now },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(s.Review)})
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	s.t.Cleanup(func() { cancel(); <-done })
}

func (s *story) command(as *rest.Config, streams genericiooptions.IOStreams, args ...string) *cobra.Command {
	factory := &kube.Factory{
		Config:    func() (*rest.Config, error) { return as, nil },
		Namespace: func() (string, error) { return s.Namespace, nil },
		Now:       func() time.Time { return now },
	}
	command := NewCommand(genericclioptions.NewConfigFlags(true), factory, streams)
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	command.SetOut(streams.Out)
	return command
}

// run is kubectl approve with arguments: what it prints, and its error as printed.
func (s *story) run(as *rest.Config, args ...string) (stdout, failure string) {
	s.t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	err := s.command(as, streams, args...).ExecuteContext(s.t.Context())
	return out.String(), strings.TrimSpace(errOut.String() + kube.Message(err))
}

func (s *story) want(got, want string) {
	s.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheInboxShowsWhatWaitsForYouAlone(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	alice := s.person("alice", []string{"dba"}, "orders-read")
	out, failure := s.run(alice)
	s.want(out, `NAME       TASK       REQUESTER   TARGET   POLICY        WHAT                NEEDS      EXPIRES
pay-1423   PAY-1423   bob         orders   orders-read   look at one order   1 of dba   60m
`)
	s.want(failure, "")
	for name, config := range map[string]*rest.Config{
		"the requester":    s.person("bob", []string{"dba"}, "orders-read"),
		"without the verb": s.person("erin", []string{"dba"}),
		"without a seat":   s.person("mallory", []string{"sales"}, "orders-read"),
	} {
		if out, failure := s.run(config); out != "" || failure != "No reviews wait for you." {
			t.Errorf("%s: %q %q", name, out, failure)
		}
	}
	out, _ = s.run(alice, "-o", "name")
	s.want(out, "approvalreview.access.sallyport.dev/pay-1423\n")
	if out, _ = s.run(alice, "-o", "json"); !strings.Contains(out, `"kind": "List"`) || !strings.Contains(out, `"name": "pay-1423"`) {
		t.Errorf("json: %s", out)
	}
	_, failure = s.run(alice, "-o", "xml")
	s.want(failure, `error: unknown output format "xml": use json, yaml or name`)
	_, failure = s.run(s.server.User(t, "nobody"), "-A")
	if !strings.HasPrefix(failure, "Error from server (Forbidden): approvalreviews.access.sallyport.dev is forbidden") {
		t.Errorf("forbidden: %q", failure)
	}
}

func TestShowPrintsTheWholeQuestion(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	alice := s.person("alice", []string{"dba"}, "orders-read")
	out, failure := s.run(alice, "show", "pay-1423")
	s.want(failure, "")
	s.want(out, `Request:    pay-1423
Review:     pay-1423
Task:       PAY-1423 (read)
URL:        https://tracker.example.org/PAY-1423
Requester:  bob
Groups:     engineering
Reason:     look at one order
Target:     orders
Policy:     orders-read
Duration:   30m from the grant

Would get:
  connect to database orders
  SELECT on public.customers, public.orders

Rules:
  Deny  no-ddl: action.kind.startsWith("drop") (ask the platform team)

Requirements:
  dba: 1 of group dba

Decisions: none yet

State:      Pending
Expires:    60m (2030-01-02 11:00:00Z)

To answer:
  kubectl approve pay-1423 -m "why it is right"
  kubectl approve deny pay-1423 -m "why it is not"
`)
	if out, _ := s.run(alice, "show", "PAY-1423", "-o", "yaml"); !strings.Contains(out, "kind: ApprovalReview\n") || strings.Contains(out, "managedFields") {
		t.Errorf("yaml: %s", out)
	}
}

// hold adds the review of a held operation, whose text tries to look like ours.
func (s *story) hold(name string, point v1alpha1.HoldPoint) {
	s.t.Helper()
	held := &v1alpha1.ApprovalReview{Spec: *s.Review.Spec.DeepCopy()}
	held.Namespace, held.Name = s.Namespace, name
	held.Labels = map[string]string{v1alpha1.LabelRequestUID: string(s.Request.UID)}
	held.Spec.Decisions = []v1alpha1.Decision{}
	held.Spec.Question.Subject.Kind = v1alpha1.SubjectStatement
	held.Spec.Question.Subject.Held = &v1alpha1.HeldOperation{
		ID: "0197-s/3", Point: point, Digest: strings.Repeat("ab", 32), Rule: "no-where", Message: "say which rows",
		Kind: "update", Text: "UPDATE orders\n  SET paid = \x1b[2J$1\nState:      Approved", Values: []string{"true", "NULL"},
		Reads: []string{"public.customers"}, Writes: []string{"public.orders"}, EstimatedRows: new(int64(120)), Preview: "by the planner",
		Warnings: []string{"it holds locks while it waits"},
	}
	if point == v1alpha1.HoldAtCommit {
		held.Spec.Question.Subject.Held.Kind, held.Spec.Question.Subject.Held.Text = "commit", "COMMIT"
		held.Spec.Question.Subject.Held.Effects = []v1alpha1.RelationEffect{{
			Relation: "public.orders", Updated: 2, Note: "1 of 2 rows",
			Images: []v1alpha1.RowImage{{Before: `{"id":1,"paid":false}`, After: `{"id":1,"paid":true}`}},
		}}
	}
	if err := s.server.Client.Create(s.t.Context(), held); err != nil {
		s.t.Fatal(err)
	}
}

func TestAHeldStatementIsShownWholeAndAnsweredByItsOwnName(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	alice := s.person("alice", []string{"dba"}, "orders-read")
	s.hold("pay-1423-0123456789", v1alpha1.HoldAtStatement)
	out, _ := s.run(alice)
	for _, want := range []string{"pay-1423-0123456789   PAY-1423", `UPDATE orders SET paid = \x1b[2J$1 State: Approved`} {
		if !strings.Contains(out, want) {
			t.Errorf("the inbox has no %q:\n%s", want, out)
		}
	}
	out, failure := s.run(alice, "show", "pay-1423-0123456789")
	s.want(failure, "")
	const want = `
Held:       update, before it runs
By rule:    no-where: say which rows
Operation:  0197-s/3
SHA-256:    ` + "abababababababababababababababababababababababababababababababab" + `

Text:
  | UPDATE orders
  |   SET paid = \x1b[2J$1
  | State:      Approved

Values:
  | $1 = true
  | $2 = NULL

Impact:
  writes public.orders
  reads public.customers
  no WHERE: every row
  about 120 rows: by the planner
  ! it holds locks while it waits
`
	if !strings.Contains(out, want) || !strings.Contains(out, "\nHas:\n") {
		t.Errorf("show has not\n%s\nbut\n%s", want, out)
	}
	s.manage()
	// The request's name means the request.
	out, failure = s.run(alice, "pay-1423")
	s.want(failure, "")
	s.want(out, "pay-1423 approved: counted for seat dba; the review is over: Approved\n")
	out, failure = s.run(alice, "pay-1423-0123456789", "-m", "fine")
	s.want(failure, "")
	s.want(out, "pay-1423-0123456789 approved: recorded; the manager has not counted it yet, see kubectl approve show pay-1423-0123456789\n")
}

func TestAHeldCommitIsShownWithItsEffects(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	alice := s.person("alice", []string{"dba"}, "orders-read")
	s.hold("pay-1423-0123456789", v1alpha1.HoldAtCommit)
	if out, _ := s.run(alice); !strings.Contains(out, "COMMIT of public.orders 2 updated") {
		t.Errorf("inbox:\n%s", out)
	}
	out, failure := s.run(alice, "show", "pay-1423-0123456789")
	s.want(failure, "")
	const want = `
Effects:
  RELATION      INSERTED   UPDATED   DELETED   NOTE
  public.orders   0          2         0         1 of 2 rows

Rows of public.orders (2 updated):
  | BEFORE                  AFTER
  | {"id":1,"paid":false}   {"id":1,"paid":true}
`
	if !strings.Contains(strings.ReplaceAll(out, " ", ""), strings.ReplaceAll(want, " ", "")) {
		t.Errorf("show has not\n%s\nbut\n%s", want, out)
	}
}

func TestApproveSaysWhetherItCounts(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.manage()
	alice := s.person("alice", []string{"dba"}, "orders-read")
	out, failure := s.run(alice, "pay-1423", "-m", "looks right")
	s.want(failure, "")
	s.want(out, "pay-1423 approved: counted for seat dba; the review is over: Approved\n")
	out, _ = s.run(alice, "show", "pay-1423")
	for _, want := range []string{"alice", "for dba", "looks right", "State:      Approved: approved by alice (dba)"} {
		if !strings.Contains(out, want) {
			t.Errorf("show has no %q:\n%s", want, out)
		}
	}
	_, failure = s.run(s.person("erin", []string{"dba"}, "orders-read"), "pay-1423")
	s.want(failure, "error: the review of pay-1423 is over: Approved")
}

func TestADecisionThatDoesNotCountIsAnError(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.manage()
	_, failure := s.run(s.person("bob", []string{"dba"}, "orders-read"), "pay-1423", "-m", "trust me")
	s.want(failure, "error: your decision on pay-1423 is recorded but does not count: nobody reviews their own request")
	_, failure = s.run(s.person("mallory", []string{"sales"}, "orders-read"), "PAY-1423")
	s.want(failure, "error: your decision on pay-1423 is recorded but does not count: in none of the review's requirements")
}

func TestDenyNeedsAReasonAndIsFinal(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	alice := s.person("alice", []string{"dba"}, "orders-read")
	_, failure := s.run(alice, "deny", "pay-1423")
	s.want(failure, `error: say why, for the requester: kubectl approve deny pay-1423 -m "…"`)
	out, failure := s.run(alice, "deny", "pay-1423", "-m", "use the replica")
	s.want(failure, "")
	s.want(out, "pay-1423 denied: recorded; the manager has not counted it yet, see kubectl approve show pay-1423\n")
	_, failure = s.run(alice, "pay-1423")
	s.want(failure, "error: you have decided about pay-1423 already, and decisions are final: see kubectl approve show pay-1423")
	s.manage()
	out, failure = s.run(s.person("erin", []string{"dba"}, "orders-read"), "no-such")
	s.want(out, "")
	s.want(failure, `error: no review "no-such" in namespace `+s.Namespace+": see kubectl approve -A")
}

func TestWatchPrintsWhatComesToWait(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	alice := s.person("alice", []string{"dba"}, "orders-read")
	out := &terminaltest.Buffer{}
	command := s.command(alice, genericiooptions.IOStreams{Out: out, ErrOut: out}, "--watch")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- command.ExecuteContext(ctx) }()

	g := gomega.NewWithT(t)
	g.Eventually(out.String, "10s", "20ms").Should(gomega.ContainSubstring("pay-1423"))
	second := &v1alpha1.ApprovalReview{Spec: *s.Review.Spec.DeepCopy()}
	second.Namespace, second.Name = s.Namespace, "pay-1424"
	second.Spec.Question.Subject.Request.Name = "pay-1424"
	second.Spec.Decisions = []v1alpha1.Decision{}
	if err := s.server.Client.Create(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	g.Eventually(out.String, "10s", "20ms").Should(gomega.ContainSubstring("pay-1424"))
	stop()
	if err := <-done; err != nil {
		t.Errorf("watch ends with %v", err)
	}
}
