package decide

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

func TestADecisionNeverLandsOnAReviewThatNobodySaw(t *testing.T) {
	t.Parallel()
	server := apitest.Start(t)
	task := server.NewTask(t.Context(), t, time.Now())
	seen := task.Review.DeepCopy()
	if err := server.Client.Delete(t.Context(), task.Review); err != nil {
		t.Fatal(err)
	}
	again := &v1alpha1.ApprovalReview{Spec: seen.Spec}
	again.Namespace, again.Name = seen.Namespace, seen.Name
	if err := server.Client.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	patch, err := addition(seen, v1alpha1.Decision{Reviewer: "alice", Verdict: v1alpha1.VerdictApprove})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Client.Patch(t.Context(), seen, patch); err == nil {
		t.Error("it landed")
	}
}

func TestTheAdditionIsAtTheEndAndBoundToTheReview(t *testing.T) {
	t.Parallel()
	r := &v1alpha1.ApprovalReview{}
	r.UID = "u1"
	patch, err := addition(r, v1alpha1.Decision{Reviewer: "alice", Groups: []string{"dba"}, Verdict: v1alpha1.VerdictApprove})
	if err != nil {
		t.Fatal(err)
	}
	data, err := patch.Data(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": "u1"},
		{"op": "add", "path": "/spec/decisions/-", "value": map[string]any{"reviewer": "alice", "groups": []any{"dba"}, "verdict": "Approve"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMoreAddsUpWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		missing []string
		want    string
	}{
		{[]string{"1 of task-reviewer"}, "1 more needed: 1 of task-reviewer"},
		{[]string{"2 of dba", "1 of lead"}, "3 more needed: 2 of dba, 1 of lead"},
		{nil, "held: see kubectl approve show"},
	} {
		if got := more(tt.missing); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
