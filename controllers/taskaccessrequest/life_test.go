package taskaccessrequest

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/manifest"
)

func TestARequestLivesFromReviewToProvedTeardown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	w.expect(v1alpha1.ReasonAwaitingReview)
	if len(w.bank.roles) != 0 {
		t.Fatal("a credential was made before the review")
	}
	if left := w.leftovers(); len(left) != 6 {
		t.Fatalf("the proxy does not stand ready: %v", left)
	}
	w.decide(v1alpha1.OutcomeApproved)
	w.settle()
	w.expect(v1alpha1.ReasonActive)
	if w.bank.roles[string(w.request.UID)] != 1 {
		t.Fatalf("roles %v", w.bank.roles)
	}
	w.closeRequest()
	w.settle()
	w.expect(v1alpha1.ReasonClosed)
	if len(w.bank.roles) != 0 || len(w.leftovers()) != 0 {
		t.Fatalf("left: %v %v", w.bank.roles, w.leftovers())
	}
	if teardown := w.request.Status.Teardown; teardown == nil || !teardown.Proved || !strings.Contains(teardown.Message, "role absent") {
		t.Fatalf("evidence %+v", teardown)
	}
	if holds(w.request) {
		t.Fatal("a closed request still has the finalizer")
	}
}

func TestARequestWithoutAReviewsYesGetsNothing(t *testing.T) {
	t.Parallel()
	for outcome, reason := range map[v1alpha1.Outcome]string{
		v1alpha1.OutcomeDenied: v1alpha1.ReasonDenied, v1alpha1.OutcomeExpired: v1alpha1.ReasonExpired, v1alpha1.OutcomeWithdrawn: v1alpha1.ReasonVoid,
	} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settle()
			w.decide(outcome)
			w.settle()
			w.expect(reason)
			if w.bank.issued != 0 || len(w.leftovers()) != 0 {
				t.Fatalf("issued %d, left %v", w.bank.issued, w.leftovers())
			}
		})
	}
}

func TestREV2_AnEditedPolicyVoidsAnApprovalForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	w.expect(v1alpha1.ReasonActive)

	was := w.policy.Spec.DeepCopy()
	w.policy.Spec.Session.MaxDurationSeconds = 7200
	w.must(w.admin.Update(t.Context(), w.policy))
	w.must(w.pass())
	if w.request.Status.Ended == nil || w.request.Status.Ended.Reason != v1alpha1.ReasonVoid {
		t.Fatalf("ended %+v", w.request.Status.Ended)
	}
	w.policy.Spec = *was
	w.must(w.admin.Update(t.Context(), w.policy))
	w.settle()
	w.expect(v1alpha1.ReasonVoid)
	if len(w.bank.roles) != 0 {
		t.Fatal("the credential outlived the approval")
	}
}

func TestREV6_AReviewThatVanishesClosesItsRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	review := &v1alpha1.ApprovalReview{ObjectMeta: metav1.ObjectMeta{Namespace: w.request.Namespace, Name: w.request.Status.Review}}
	w.must(w.admin.Delete(t.Context(), review))
	w.settle()
	w.expect(v1alpha1.ReasonVoid)
	if len(w.bank.roles) != 0 {
		t.Fatal("the credential outlived its review")
	}
}

func TestREV6_NothingIsGrantedWhileAdmissionPoliciesDiffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	w.decide(v1alpha1.OutcomeApproved)
	w.guard.differences = []string{"binding removed"}
	w.settle()
	w.expect(v1alpha1.ReasonPending)
	if w.bank.issued != 0 {
		t.Fatal("granted all the same")
	}
	w.guard.differences = nil
	w.settle()
	w.expect(v1alpha1.ReasonActive)
}

func TestAGrantThatRequiresIsolationWaitsForThisVeryPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.Spec.Isolation = v1alpha1.IsolationRequired
	w.must(w.admin.Update(t.Context(), w.policy))
	w.policy.Status.Conditions = ready(w.policy.Generation)
	w.must(w.admin.Status().Update(t.Context(), w.policy))
	w.approve()
	w.expect(v1alpha1.ReasonPending)

	pod := &corev1.Pod{}
	w.must(w.admin.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(string(w.request.UID))}, pod))
	w.report(isolationPrefix("another-pod"), metav1.ConditionTrue)
	w.settle()
	w.expect(v1alpha1.ReasonPending)
	w.report(isolationPrefix(string(pod.UID)), metav1.ConditionFalse)
	w.settle()
	w.expect(v1alpha1.ReasonPending)
	w.report(isolationPrefix(string(pod.UID)), metav1.ConditionTrue)
	w.settle()
	w.expect(v1alpha1.ReasonActive)
}

// report writes what a proxy found about its isolation.
func (w *world) report(message string, status metav1.ConditionStatus) {
	w.t.Helper()
	w.reload()
	reported := v1alpha1.TaskAccessRequestStatus{Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionIsolated, Status: status, Reason: "Probed", Message: message, LastTransitionTime: metav1.Now(),
	}}}
	if _, err := applyStatus(w.t.Context(), w.admin, w.request, reported, reporterFieldOwner, ""); err != nil {
		w.t.Fatal(err)
	}
}

func TestLIFE2_ATargetThatIsDownKeepsTheRequestClosing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	w.bank.down = true
	w.closeRequest()
	if err := w.pass(); err == nil {
		t.Fatal("a failed teardown is not tried again")
	}
	w.expect(v1alpha1.ReasonClosing)
	if message := meta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionReady).Message; !strings.Contains(message, errDown.Error()) {
		t.Fatalf("message %q", message)
	}
	w.bank.down = false
	w.settle()
	w.expect(v1alpha1.ReasonClosed)
}

func TestAnAbandonedTeardownIsRecordedAsUnproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	w.bank.down = true
	w.closeRequest()
	_ = w.pass()
	w.request.Annotations = map[string]string{v1alpha1.AnnotationAbandon: "the machine burned down"}
	w.must(w.admin.Update(t.Context(), w.request))
	w.settle()
	w.expect(v1alpha1.ReasonAbandoned)
	if teardown := w.request.Status.Teardown; teardown.Proved || !strings.Contains(teardown.Message, "burned down") {
		t.Fatalf("evidence %+v", teardown)
	}
}

func TestATasksTimeEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	later := time.Now().Add(601 * time.Second)
	w.r.Now = func() time.Time { return later }
	w.settle()
	w.expect(v1alpha1.ReasonExpired)
	if len(w.bank.roles) != 0 {
		t.Fatal("the credential outlived the task")
	}
}

func TestAPersonHasSoManyProxiesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.request
	w.settle()
	for _, name := range []string{"second", "third"} {
		w.request = w.newRequest(name, first.Spec.Requester.Username)
		w.settle()
	}
	states := map[string]int{}
	list := &v1alpha1.TaskAccessRequestList{}
	w.must(w.admin.List(t.Context(), list, client.InNamespace(first.Namespace)))
	for _, request := range list.Items {
		states[meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionReady).Reason]++
	}
	if states[v1alpha1.ReasonAwaitingReview] < 2 || len(list.Items) != 3 {
		t.Fatalf("states %v", states)
	}
}

func TestAPodThatVanishesIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	key := client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(string(w.request.UID))}
	first, second := &corev1.Pod{}, &corev1.Pod{}
	w.must(w.admin.Get(t.Context(), key, first))
	w.must(w.admin.Delete(t.Context(), first, client.GracePeriodSeconds(0)))
	w.settle()
	w.must(w.admin.Get(t.Context(), key, second))
	if first.UID == second.UID {
		t.Fatal("the same pod")
	}
	w.expect(v1alpha1.ReasonActive)
	if w.bank.issued != 1 {
		t.Fatalf("issued %d times", w.bank.issued)
	}
}

func TestADeletedRequestIsTornDownFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	w.must(w.admin.Delete(t.Context(), w.request))
	w.settle()
	err := w.admin.Get(t.Context(), client.ObjectKeyFromObject(w.request), &v1alpha1.TaskAccessRequest{})
	if client.IgnoreNotFound(err) != nil || err == nil {
		t.Fatalf("the request is still there: %v", err)
	}
	if len(w.bank.roles) != 0 || len(w.leftovers()) != 0 {
		t.Fatalf("left: %v %v", w.bank.roles, w.leftovers())
	}
}

func TestAnApprovalIsNotKeptForLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	w.guard.differences = []string{"binding removed"}
	w.decide(v1alpha1.OutcomeApproved)
	w.settle()
	w.expect(v1alpha1.ReasonPending)
	later := w.request.Status.ExpiresAt.Add(time.Second)
	w.r.Now = func() time.Time { return later }
	w.guard.differences = nil
	w.settle()
	w.expect(v1alpha1.ReasonExpired)
	if w.bank.issued != 0 {
		t.Fatal("an old approval was granted on")
	}
}

func TestAnApprovalOfTheLastMinuteHasTimeToBeGranted(t *testing.T) {
	t.Parallel()
	deadline := time.Now()
	review := &v1alpha1.ApprovalReview{}
	review.Spec.Question.ExpiresAt = metav1.NewTime(deadline)
	review.Status.DecidedAt = new(metav1.NewTime(deadline.Add(-time.Second)))
	if lapsed(review, deadline.Add(time.Minute)) {
		t.Error("lapsed a minute after the decision")
	}
	if !lapsed(review, deadline.Add(approvalHolds)) {
		t.Error("holds for ever")
	}
}

func TestAnAbandonedTeardownStillEndsTheCredentialIfItCan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	w.request.Annotations = map[string]string{v1alpha1.AnnotationAbandon: "set while it was in use"}
	w.must(w.admin.Update(t.Context(), w.request))
	w.closeRequest()
	w.settle()
	w.expect(v1alpha1.ReasonClosed)
	if len(w.bank.roles) != 0 || !w.request.Status.Teardown.Proved {
		t.Fatalf("left %v, evidence %+v", w.bank.roles, w.request.Status.Teardown)
	}
}

func TestLIFE2_ATargetMadeAnewProvesNothingAboutTheOneBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	anew := w.target.DeepCopy()
	w.must(w.admin.Delete(t.Context(), w.target))
	anew.ResourceVersion, anew.UID = "", ""
	w.must(w.admin.Create(t.Context(), anew))
	// The server at the new target knows nothing of the role.
	w.bank.roles = map[string]int{}
	w.settle()
	w.expect(v1alpha1.ReasonClosing)
	if teardown := w.request.Status.Teardown; teardown == nil || teardown.Proved || !strings.Contains(teardown.Message, "made anew") {
		t.Fatalf("evidence %+v", teardown)
	}
}

func TestLIFE2_OtherRootKeysProveNothingAboutARoleThatWasMadeWithTheOldOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	w.bank.keys = "other-"
	w.closeRequest()
	w.settle()
	w.expect(v1alpha1.ReasonClosing)
	if teardown := w.request.Status.Teardown; teardown == nil || teardown.Proved || !strings.Contains(teardown.Message, "root keys were replaced") {
		t.Fatalf("evidence %+v", teardown)
	}
}

func TestTheQuotaHoldsInWhateverOrderRequestsAreLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []*v1alpha1.TaskAccessRequest{w.request}
	for _, name := range []string{"second", "third", "fourth"} {
		all = append(all, w.newRequest(name, w.request.Spec.Requester.Username))
	}
	// The youngest first: to each, none before it seems to be ahead.
	slices.SortFunc(all, func(a, b *v1alpha1.TaskAccessRequest) int {
		if before(a, b) {
			return 1
		}
		return -1
	})
	proxies := 0
	for _, request := range all {
		w.request = request
		w.settle()
		if w.request.Status.Endpoint != nil {
			proxies++
		}
	}
	if proxies > w.r.MaxOpenPerPerson {
		t.Fatalf("%d proxies, the quota is %d", proxies, w.r.MaxOpenPerPerson)
	}
}

func TestLIFE1_ThePodsDeadlineIsLoweredEvenIfTheGrantingPassDiedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	key := client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(string(w.request.UID))}
	pod := &corev1.Pod{}
	w.must(w.admin.Get(t.Context(), key, pod))
	before := *pod.Spec.ActiveDeadlineSeconds
	// Only now does the kubelet say that it has started.
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, new(metav1.Now())
	w.must(w.admin.Status().Update(t.Context(), pod))
	w.settle()
	w.must(w.admin.Get(t.Context(), key, pod))
	if after := *pod.Spec.ActiveDeadlineSeconds; after >= before || after > 600+proxySlack {
		t.Fatalf("the deadline was %d s and is %d s, for a task of 600 s", before, after)
	}
}

func TestLIFE2_ATargetThatStaysDownIsNotAskedAgainBecauseOfItsOwnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	w.bank.down = true
	w.closeRequest()
	_ = w.pass()
	_ = w.pass()
	before := w.request.ResourceVersion
	w.r.Now = func() time.Time { return time.Now().Add(time.Minute) }
	_ = w.pass()
	// A status that is written is an event, and an event is another pass at once: the
	// backoff would be none.
	if w.request.ResourceVersion != before {
		t.Fatalf("the status was written again: %+v", w.request.Status.Teardown)
	}
}
