package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Held waits until psql has been told, after what it was told before, that a statement
// is held, and returns the review's name and when it was seen.
func (p *Psql) Held(t testing.TB) (review string, at time.Time) {
	t.Helper()
	const words = "waiting for review: kubectl approve "
	_, from := p.Err.Await(t, p.errAt, words, Patience)
	at = time.Now()
	name, _ := p.Err.Await(t, from, "\n", Patience)
	p.errAt = from
	return strings.Fields(name)[0], at
}

// Interrupt is Ctrl-C in psql itself.
func (p *Psql) Interrupt(t testing.TB) {
	t.Helper()
	pid := childOf(p.command.Process.Pid, "psql")
	if pid == 0 {
		t.Fatal("no psql is running")
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// childOf finds a process of this name among a process's descendants, or itself.
func childOf(pid int, name string) int {
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return 0
	}
	if strings.TrimSpace(string(command)) == name {
		return pid
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(children)) {
			var child int
			if _, err := fmt.Sscan(field, &child); err != nil {
				continue
			}
			if found := childOf(child, name); found != 0 {
				return found
			}
		}
	}
	return 0
}

// ReviewNamed reads a review of the domain.
func (d *Domain) ReviewNamed(t testing.TB, name string) *v1alpha1.ApprovalReview {
	t.Helper()
	return Get(t, d.Cluster, &v1alpha1.ApprovalReview{ObjectMeta: d.meta(name)})
}

// AwaitOutcome waits for a review's outcome.
func (d *Domain) AwaitOutcome(t testing.TB, name string, outcome v1alpha1.Outcome) {
	t.Helper()
	Eventually(t, Patience, "review "+name+": "+string(outcome), func() (bool, string) {
		got := d.ReviewNamed(t, name).Status.Outcome
		return got == outcome, string(got)
	})
}

// Holds lists the reviews of held operations in the domain.
func (d *Domain) Holds(t testing.TB) []v1alpha1.ApprovalReview {
	t.Helper()
	list := &v1alpha1.ApprovalReviewList{}
	if err := d.Admin.List(t.Context(), list, client.InNamespace(d.Namespace)); err != nil {
		t.Fatal(err)
	}
	var held []v1alpha1.ApprovalReview
	for _, review := range list.Items {
		if review.Spec.Question.Subject.Kind == v1alpha1.SubjectStatement {
			held = append(held, review)
		}
	}
	return held
}

// Watch is `kubectl approve --watch` of a reviewer.
func (d *Domain) Watch(t testing.TB, reviewer *User) *Psql {
	t.Helper()
	return reviewer.start(t, "approve", "--watch", "-n", d.Namespace)
}

// AnswerBy decides about a review by a client that runs already; it returns when that
// was sent.
func (d *Domain) AnswerBy(t testing.TB, c client.Client, review string, decision v1alpha1.Decision) time.Time {
	t.Helper()
	decision.Groups = append(decision.Groups, "system:authenticated")
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/decisions/-", "value": decision}})
	if err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if err := c.Patch(t.Context(), &v1alpha1.ApprovalReview{ObjectMeta: d.meta(review)}, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		t.Fatal(err)
	}
	return sent
}

// Kill ends psql and its tunnel, without a goodbye.
func (p *Psql) Kill(t testing.TB) {
	t.Helper()
	if pid := childOf(p.command.Process.Pid, "psql"); pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	_ = p.command.Process.Kill()
}

// Receives waits until the ssh that a program runs has read this many bytes.
func (p *Psql) Receives(t testing.TB, bytes int64) {
	t.Helper()
	Eventually(t, Patience, "received bytes", func() (bool, string) {
		counts, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", childOf(p.command.Process.Pid, "ssh")))
		if err != nil {
			return false, err.Error() + p.Err.String()
		}
		var read int64
		_, err = fmt.Sscanf(string(counts), "rchar: %d", &read)
		return err == nil && read >= bytes, fmt.Sprint(read, " ", p.Err)
	})
}
