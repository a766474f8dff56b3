package accesstarget

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/target"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func someTarget() *v1alpha1.AccessTarget {
	return &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "orders", Generation: 3},
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
			Host: "db.example.com", Port: 5432, Databases: []string{"orders"}, Credential: v1alpha1.CredentialEphemeralRole,
		}},
	}
}

func TestEachFindingHasItsConditions(t *testing.T) {
	t.Parallel()
	about := func(err error) error { return fmt.Errorf("connect: %w", err) }
	for name, c := range map[string]struct {
		found found
		want  string
		retry bool
	}{
		"fine":           {found{}, "Reachable=True/Answers CredentialWorks=True/Works Ready=True/Ready", false},
		"no password":    {found{findings: credential.Findings{Unsafe: "asks no password"}}, "Reachable=True/Answers CredentialWorks=Unknown/NotTried Ready=False/Unsafe", false},
		"down":           {found{err: about(credential.ErrUnreachable)}, "Reachable=False/Unreachable CredentialWorks=Unknown/NotTried Ready=False/Unreachable", true},
		"wrong password": {found{err: about(credential.ErrAdministrator)}, "Reachable=True/Answers CredentialWorks=False/Refused Ready=False/Refused", false},
		"too old":        {found{err: about(credential.ErrUnsupported)}, "Reachable=Unknown/NotTried CredentialWorks=Unknown/NotTried Ready=False/Unsupported", false},
		"no secret":      {found{err: &target.Error{Reason: "NoSecret"}}, "Reachable=Unknown/NotTried CredentialWorks=Unknown/NotTried Ready=False/NoSecret", false},
		"mismatch":       {found{err: &target.Error{Reason: "Mismatch"}}, "Reachable=Unknown/NotTried CredentialWorks=Unknown/NotTried Ready=False/Mismatch", false},
		"no such name":   {found{err: &target.Error{Reason: "Unreachable"}}, "Reachable=False/Unreachable CredentialWorks=Unknown/NotTried Ready=False/Unreachable", true},
		"anything else":  {found{err: errors.New("odd")}, "Reachable=Unknown/NotTried CredentialWorks=Unknown/NotTried Ready=False/ProbeFailed", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, condition := range judge(someTarget(), c.found) {
				got = append(got, fmt.Sprintf("%s=%s/%s", condition.Type, condition.Status, condition.Reason))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
			if c.found.retry() != c.retry {
				t.Errorf("retry %v", c.found.retry())
			}
		})
	}
}

func TestAStatusThatSaysNothingNewKeepsItsTimesAndIsTheSame(t *testing.T) {
	t.Parallel()
	object, f := someTarget(), found{addresses: []string{"10.0.0.9"}, findings: credential.Findings{ServerVersion: "15.3"}}
	object.Status = draft(object, f, noon)
	meta.SetStatusCondition(&object.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionInUse, Status: metav1.ConditionTrue, Reason: reasonOpenRequests})
	again := draft(object, f, noon.Add(time.Hour))
	before := *object.Status.DeepCopy()
	meta.RemoveStatusCondition(&before.Conditions, v1alpha1.ConditionInUse)
	if !same(before, again) {
		t.Errorf("differs: %s", cmp.Diff(before, again))
	}
	worse := draft(object, found{err: credential.ErrUnreachable}, noon.Add(time.Hour))
	if same(before, worse) || worse.Addresses != nil || worse.ServerVersion != "" {
		t.Errorf("got %+v", worse)
	}
	ready := meta.FindStatusCondition(worse.Conditions, v1alpha1.ConditionReady)
	if !ready.LastTransitionTime.Time.Equal(noon.Add(time.Hour)) {
		t.Errorf("changed at %s", ready.LastTransitionTime)
	}
}

func TestAStandingLoginAndPlaintextAreSaidPlainly(t *testing.T) {
	t.Parallel()
	object := someTarget()
	object.Spec.Postgres.Credential = v1alpha1.CredentialStatic
	object.Spec.Postgres.TLS.Mode = v1alpha1.PostgresTLSDisable
	message := readyMessage(object)
	for _, said := range []string{"not encrypted", "standing login, which remains"} {
		if !strings.Contains(message, said) {
			t.Errorf("%q does not say %q", message, said)
		}
	}
}

func TestADeletionThatWaitsNamesTheRequestsAndNotTooMany(t *testing.T) {
	t.Parallel()
	object := someTarget()
	object.DeletionTimestamp = &metav1.Time{Time: noon}
	var open []string
	for n := range 40 {
		open = append(open, fmt.Sprintf("task-%02d", n))
	}
	condition := inUse(object, open, noon)
	if condition.Status != metav1.ConditionTrue || !strings.HasSuffix(condition.Message, "task-09 and 30 more") || !strings.Contains(condition.Message, "deletion waits") {
		t.Errorf("got %+v", condition)
	}
}

func TestASecretsNameIsItsTargets(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"payments.orders": "payments/orders", "payments.orders.eu": "payments/orders.eu", "other": ""} {
		secret := secretNamed(v1alpha1.TargetNamespace, name)
		got := ""
		for _, request := range targetOfSecret(t.Context(), secret) {
			got = request.String()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := targetOfSecret(t.Context(), secretNamed("payments", "payments.orders")); got != nil {
		t.Errorf("a Secret of another namespace names %v", got)
	}
}
