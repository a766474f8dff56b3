package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

var now = time.Date(2030, 1, 2, 10, 0, 0, 0, time.UTC)

// desk is bob at his machine.
type desk struct {
	t         *testing.T
	server    *apitest.Server
	namespace string
	bob       *rest.Config
	keys      clientkey.Store
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	server := apitest.Start(t)
	d := &desk{t: t, server: server, namespace: server.Namespace(t.Context(), t), keys: clientkey.Store{Folder: filepath.Join(t.TempDir(), "keys")}}
	d.bob = server.User(t, "bob", "engineering")
	server.Allow(t.Context(), t, d.namespace, "bob", "taskaccessrequests", []string{"create", "get", "list", "patch", "delete"})
	return d
}

func (d *desk) run(args ...string) (stdout, failure string) {
	d.t.Helper()
	stdout, stderr, err := d.execute(d.bob, args...)
	return stdout, strings.TrimSpace(stderr + kube.Message(err))
}

func (d *desk) execute(config *rest.Config, args ...string) (stdout, stderr string, err error) {
	d.t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	err = d.command(config, streams, args...).ExecuteContext(d.t.Context())
	return out.String(), errOut.String(), err
}

func (d *desk) command(config *rest.Config, streams genericiooptions.IOStreams, args ...string) *cobra.Command {
	factory := &kube.Factory{
		Config:    func() (*rest.Config, error) { return config, nil },
		Namespace: func() (string, error) { return d.namespace, nil },
		Now:       func() time.Time { return now },
	}
	command := NewCommand(genericclioptions.NewConfigFlags(true), factory, d.keys, streams)
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	command.SetOut(streams.Out)
	return command
}

func (d *desk) want(got, want string) {
	d.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("(-want +got):\n%s", diff)
	}
}

func (d *desk) ask(args ...string) (stdout, failure string) {
	d.t.Helper()
	return d.run(append([]string{"request", "--task", "PAY-1423", "--type", "read", "--target", "orders", "--reason", "wrong total"}, args...)...)
}

func (d *desk) get(name string) *v1alpha1.TaskAccessRequest {
	d.t.Helper()
	r := &v1alpha1.TaskAccessRequest{}
	if err := d.server.Client.Get(d.t.Context(), client.ObjectKey{Namespace: d.namespace, Name: name}, r); err != nil {
		d.t.Fatal(err)
	}
	return r
}

// status writes what the manager would.
func (d *desk) status(r *v1alpha1.TaskAccessRequest, change func(s *v1alpha1.TaskAccessRequestStatus)) {
	d.t.Helper()
	change(&r.Status)
	if err := d.server.Client.Status().Update(d.t.Context(), r); err != nil {
		d.t.Fatal(err)
	}
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now)}
}

func TestRequestMakesARequestWithAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	out, failure := d.ask("--duration", "45m", "--reviewer", "carol", "--url", "https://tracker.example.org/PAY-1423")
	d.want(out, "taskaccessrequest.access.sallyport.dev/pay-1423 created\n")
	d.want(failure, "It waits for its review now. You can connect already, and wait inside:\n  kubectl access psql pay-1423 -n "+d.namespace)
	spec := d.get("pay-1423").Spec
	want := v1alpha1.TaskAccessRequestSpec{
		Requester: v1alpha1.Requester{Username: "bob", Groups: []string{"engineering", "system:authenticated"}},
		Task:      v1alpha1.Task{ID: "PAY-1423", Type: "read", URL: "https://tracker.example.org/PAY-1423", Reviewer: "carol"},
		Target:    "orders", Reason: "wrong total", DurationSeconds: 2700, ClientKeys: spec.ClientKeys, State: v1alpha1.StateOpen,
	}
	spec.Requester.UID = ""
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Error(diff)
	}
	if _, err := d.keys.Find(spec.ClientKeys); err != nil {
		t.Error(err)
	}
	_, failure = d.ask()
	if !strings.HasPrefix(failure, "error: request pay-1423 exists already") {
		t.Errorf("again: %q", failure)
	}
	if files, _ := filepath.Glob(filepath.Join(d.keys.Folder, "*")); len(files) != 1 {
		t.Errorf("the refused request left its key: %q", files)
	}
}

func TestRequestSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"request", "--task", "X-1", "--reason", " "}, "error: required: --type, --target, --reason"},
		{[]string{"show"}, "error: give one name: kubectl access show NAME [flags]"},
		{[]string{"psql", "--timeout", "1s"}, "error: give one name: kubectl access psql NAME [-- PSQL-ARGUMENTS] [flags]"},
		{[]string{"show", "nothing"}, `error: no request "nothing" in namespace ` + d.namespace + ": see kubectl access list -A"},
		{[]string{"connect", "x", "--local-port", "70000"}, "error: --local-port is from 1 to 65535, or 0 for any free one"},
		{[]string{"list", "-o", "table"}, `error: unknown output format "table": use json, yaml or name`},
	} {
		if _, failure := d.run(tt.args...); failure != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, failure, tt.want)
		}
	}
	for _, duration := range []string{"1s", "25h", "90500ms"} {
		if _, failure := d.ask("--duration", duration); !strings.HasPrefix(failure, "error: --duration is") {
			t.Errorf("%s: %q", duration, failure)
		}
	}
	_, failure := d.ask("--type", "Data Fix")
	if !strings.HasPrefix(failure, `The TaskAccessRequest "pay-1423" is invalid`) || !strings.Contains(failure, "spec.task.type") {
		t.Errorf("invalid: %q", failure)
	}
}

func TestADryRunPrintsWhatKubectlApplyTakes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	out, _ := d.ask("--dry-run", "-o", "yaml")
	r := &v1alpha1.TaskAccessRequest{}
	if err := yaml.UnmarshalStrict([]byte(out), r); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if r.Kind != "TaskAccessRequest" || r.Name != "pay-1423" || strings.Contains(out, "requester") || strings.Contains(out, "status") {
		t.Errorf("got\n%s", out)
	}
	if _, err := d.keys.Find(r.Spec.ClientKeys); err != nil {
		t.Error(err)
	}
	if out, _ := d.run("list", "-o", "name"); out != "" {
		t.Errorf("it was made: %s", out)
	}
}

func TestARequestUsesTheKeyThatItIsGiven(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	own := clientkey.Store{Folder: t.TempDir()}
	key, err := own.Generate()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(own.Folder, "*"))
	if _, failure := d.ask("--key", files[0]); !strings.HasPrefix(failure, "It waits") {
		t.Fatal(failure)
	}
	line, _ := clientkey.Authorized(key, "pay-1423")
	d.want(strings.Join(d.get("pay-1423").Spec.ClientKeys, "\n"), line)
	if _, failure := d.run("close", "pay-1423"); failure != "" {
		t.Error(failure)
	}
	if _, err := os.Stat(files[0]); err != nil {
		t.Errorf("close removed a key that is not its own: %v", err)
	}
}

func TestListAndShow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ask("--url", "https://tracker.example.org/PAY-1423")
	expires := metav1.NewTime(now.Add(29 * time.Minute))
	d.status(d.get("pay-1423"), func(s *v1alpha1.TaskAccessRequestStatus) {
		s.Conditions = []metav1.Condition{condition("Ready", metav1.ConditionTrue, "Active", "active")}
		s.ExpiresAt, s.Review = &expires, "pay-1423-abcd"
		s.Policy = &v1alpha1.Bound{Name: "orders-read", UID: "p", Digest: "v1:sha256:00"}
		s.Sessions = &v1alpha1.SessionCounts{Active: 1, Total: 2, Allowed: 7, Refused: 1}
		s.Credential = &v1alpha1.IssuedCredential{Type: v1alpha1.CredentialEphemeralRole, Name: "sp_1"}
	})
	out, _ := d.run("list")
	d.want(out, "NAME       TASK       REQUESTER   TARGET   STATE    LEFT\npay-1423   PAY-1423   bob         orders   Active   29m\n")
	out, failure := d.run("show", "PAY-1423")
	d.want(failure, "")
	d.want(out, `Request:    pay-1423
Task:       PAY-1423 (read)
URL:        https://tracker.example.org/PAY-1423
Requester:  bob
Reason:     wrong total
Target:     orders
Duration:   30m from the grant

State:      Active: active
Policy:     orders-read
Review:     pay-1423-abcd
Expires:    29m (2030-01-02 10:29:00Z)
Credential: EphemeralRole sp_1
Sessions:   1 now, 2 in all; operations: 7 allowed, 1 refused
Held:       you may not list reviews here; a held operation's client is told its review's name

CONDITION   STATUS   REASON   MESSAGE
Ready       True     Active   active
`)
}

func TestCloseWaitsForTheProofAndForgetsTheKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ask()
	r := d.get("pay-1423")
	at := metav1.NewTime(now)
	d.status(r, func(s *v1alpha1.TaskAccessRequestStatus) {
		s.ClosedAt = &at
		s.Teardown = &v1alpha1.Teardown{Proved: true, Message: "role sp_1 absent from pg_roles, 0 backends"}
	})
	out, failure := d.run("close", "PAY-1423", "--wait")
	d.want(failure, "")
	d.want(out, "taskaccessrequest.access.sallyport.dev/pay-1423 closed\npay-1423 is closed: role sp_1 absent from pg_roles, 0 backends\n")
	if state := d.get("pay-1423").Spec.State; state != v1alpha1.StateClosed {
		t.Errorf("state %s", state)
	}
	if _, err := d.keys.Find(r.Spec.ClientKeys); err == nil {
		t.Error("the key is still there")
	}
	mallory := d.server.User(t, "mallory")
	if _, _, err := d.execute(mallory, "close", "pay-1423"); !strings.HasPrefix(kube.Message(err), "Error from server (Forbidden): ") {
		t.Errorf("mallory: %v", err)
	}
}

func TestWaitEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ask()
	d.status(d.get("pay-1423"), func(s *v1alpha1.TaskAccessRequestStatus) {
		s.Ended = &v1alpha1.Ended{Reason: "Denied", Message: "denied by alice: use the replica", At: metav1.NewTime(now)}
	})
	_, failure := d.run("connect", "pay-1423")
	d.want(failure, "error: pay-1423 is over: denied by alice: use the replica")
}
