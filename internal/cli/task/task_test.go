package task

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/terminal"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// request of a task; age in hours.
func request(name, task string, state v1alpha1.RequestState, age int) *v1alpha1.TaskAccessRequest {
	return &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "payments", Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-time.Duration(age) * time.Hour)),
		},
		Spec: v1alpha1.TaskAccessRequestSpec{Task: v1alpha1.Task{ID: task}, State: state},
	}
}

func cluster(t *testing.T, calls interceptor.Funcs, requests ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(requests...).WithInterceptorFuncs(calls).Build()
}

func TestANameMeansARequestOrItsTask(t *testing.T) {
	t.Parallel()
	c := cluster(t, interceptor.Funcs{},
		request("fix", "PAY-1", v1alpha1.StateOpen, 1), request("fix-first", "PAY-1", v1alpha1.StateClosed, 9),
		request("older", "PAY-2", v1alpha1.StateClosed, 9), request("newer", "PAY-2", v1alpha1.StateClosed, 3),
		request("a", "PAY-3", v1alpha1.StateOpen, 1), request("b", "PAY-3", v1alpha1.StateOpen, 1),
		request("pay-1", "PAY-9", v1alpha1.StateOpen, 1),
	)
	for name, test := range map[string]struct{ name, want, failure string }{
		"its own name":                      {name: "fix-first", want: "fix-first"},
		"the task's id: the open one":       {name: "pay-2", want: "newer"},
		"a name before a task's id":         {name: "PAY-1", want: "pay-1"},
		"a task with several open requests": {name: "PAY-3", failure: "several open requests in namespace payments: name one of a, b"},
		"nothing":                           {name: "PAY-4", failure: "see kubectl access list -A"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := Find(t.Context(), c, "payments", test.name)
			if test.failure != "" {
				if err == nil || !strings.Contains(err.Error(), test.failure) {
					t.Errorf("error %v, want one that says %q", err, test.failure)
				}
				return
			}
			if err != nil || found.Name != test.want {
				t.Errorf("found %v, error %v; want %s", found, err, test.want)
			}
		})
	}
}

func TestWhoMayOnlyGetIsToldWhatGetSaid(t *testing.T) {
	t.Parallel()
	c := cluster(t, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no list"))
		},
	})
	if _, err := Find(t.Context(), c, "payments", "fix"); !apierrors.IsNotFound(err) {
		t.Errorf("error %v, want that there is none", err)
	}
}

func TestARequestIsOverWhenItsEndHasBegun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*v1alpha1.TaskAccessRequest)
		over   bool
		end    string
	}{
		"open":     {func(*v1alpha1.TaskAccessRequest) {}, false, "it was closed"},
		"closed":   {func(r *v1alpha1.TaskAccessRequest) { r.Spec.State = v1alpha1.StateClosed }, true, "it was closed"},
		"expired":  {func(r *v1alpha1.TaskAccessRequest) { r.Status.Ended = &v1alpha1.Ended{Message: "it expired"} }, true, "it expired"},
		"deleted":  {func(r *v1alpha1.TaskAccessRequest) { r.DeletionTimestamp = new(metav1.Now()) }, true, "it was closed"},
		"torndown": {func(r *v1alpha1.TaskAccessRequest) { r.Status.ClosedAt = new(metav1.Now()) }, true, "it was closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request("fix", "PAY-1", v1alpha1.StateOpen, 1)
			test.change(r)
			if Over(r) != test.over || End(r) != test.end {
				t.Errorf("over %t, end %q; want %t, %q", Over(r), End(r), test.over, test.end)
			}
		})
	}
}

func TestOfARequestThatNobodyLookedAtYetThatIsSaid(t *testing.T) {
	t.Parallel()
	r := request("fix", "PAY-1", v1alpha1.StateOpen, 1)
	if reason, message := State(r); reason != v1alpha1.ReasonPending || message == "" {
		t.Errorf("state %q, %q", reason, message)
	}
	want := metav1.Condition{Type: v1alpha1.ConditionProxyReady, Status: metav1.ConditionUnknown, Reason: "Unknown"}
	if diff := cmp.Diff(want, Condition(r, v1alpha1.ConditionProxyReady)); diff != "" || ProxyReady(r) {
		t.Errorf("proxy ready %t; condition (-want +got):\n%s", ProxyReady(r), diff)
	}
}

func TestAWaitLooksAgainUntilItIsDoneInterruptedOrTooLong(t *testing.T) {
	errOver := errors.New("it was denied")
	say := func(*v1alpha1.TaskAccessRequest) string { return "awaiting review" }
	for name, test := range map[string]struct {
		done      func(look int) (bool, error)
		interrupt bool
		looks     int
		failure   string
	}{
		"at once":        {done: func(int) (bool, error) { return true, nil }, looks: 0},
		"the third time": {done: func(look int) (bool, error) { return look == 2, nil }, looks: 2},
		"it cannot be":   {done: func(look int) (bool, error) { return false, []error{nil, errOver}[look] }, looks: 1, failure: errOver.Error()},
		"too long":       {done: func(int) (bool, error) { return false, nil }, looks: 4, failure: "gave up on fix after 1.1s: awaiting review"},
		"interrupted":    {done: func(int) (bool, error) { return false, nil }, interrupt: true, looks: 0, failure: "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				looks := 0
				r := request("fix", "PAY-1", v1alpha1.StateOpen, 1)
				c := cluster(t, interceptor.Funcs{
					Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
						looks++
						return c.Get(ctx, key, object, opts...)
					},
				}, r)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.interrupt {
					cancel()
				}
				_, err := Until(ctx, c, r, 1100*time.Millisecond, terminal.NewProgress(io.Discard), say,
					func(*v1alpha1.TaskAccessRequest) (bool, error) { return test.done(looks) })
				if got := message(err); got != test.failure || looks != test.looks {
					t.Errorf("after %d looks %q; want after %d %q", looks, got, test.looks, test.failure)
				}
			})
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestARequestThatNoPolicyServesIsToldFromOneThatWaits(t *testing.T) {
	t.Parallel()
	r := &v1alpha1.TaskAccessRequest{}
	if why := Unserved(r); why != "" {
		t.Errorf("not looked at yet, and %q", why)
	}
	r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPolicyMatched, Status: metav1.ConditionTrue, Reason: "Matched", Message: "policy orders-read"}}
	if why := Unserved(r); why != "" {
		t.Errorf("matched, and %q", why)
	}
	r.Status.Conditions[0] = metav1.Condition{Type: v1alpha1.ConditionPolicyMatched, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoPolicy, Message: "none serves it"}
	if why := Unserved(r); why != "NoPolicy: none serves it" {
		t.Errorf("unserved, and %q", why)
	}
}
