package bench

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// stream is a statement whose rows do not end while anybody measures.
const stream = "COPY (SELECT a.id, b.id, c.note FROM orders a, orders b, orders c) TO STDOUT"

// BenchmarkLifecycle leads tasks through their lives, one after another, each with a
// client that waits for its review and one that receives rows when the task closes.
// hack/bench-lifecycle.sh runs it: -benchtime=30x.
func BenchmarkLifecycle(b *testing.B) {
	d := harness.Open(b).Domain(b)
	bob, alice := d.Bob.Client(b), d.Alice.Client(b)
	ready := &Measure{Name: "request → proxy ready"}
	isolated := &Measure{Name: "request → isolation known"}
	row := &Measure{Name: "approve → first row of a waiting client", Percentile: 95, Goal: time.Second}
	last := &Measure{Name: "close → last byte", Percentile: 99, Goal: time.Second}
	proof := &Measure{Name: "close → proof", Percentile: 99, Goal: 10 * time.Second}
	all := []*Measure{ready, isolated, row, last, proof}

	for n := 0; b.Loop(); n++ {
		task, asked := d.AskBy(b, bob, d.Bob, fmt.Sprintf("bench-%d", n), harness.TypeRead)
		listens := task.Seen(b, bob, "the proxy listens", func(r *v1alpha1.TaskAccessRequest) bool {
			return harness.Condition(r, v1alpha1.ConditionProxyReady) == metav1.ConditionTrue
		})
		ready.Add(listens.Sub(asked))
		// A reviewer takes longer to read than a proxy to find out whether it is isolated.
		looked := task.Seen(b, bob, "the proxy is isolated", func(r *v1alpha1.TaskAccessRequest) bool {
			return harness.Condition(r, v1alpha1.ConditionIsolated) == metav1.ConditionTrue
		})
		isolated.Add(looked.Sub(asked))

		waiting := task.Stream(b, "SELECT count(*) FROM orders")
		waiting.Err.Await(b, 0, "NOTICE:", harness.Patience)
		approved := task.ApproveBy(b, alice, "alice", "dba")
		row.Add(waiting.First(b).Sub(approved))
		waiting.Last(b)

		receiving := task.Tunnel(b).Copy(b, stream)
		receiving.First(b)
		closed := task.CloseBy(b, alice)
		gone := task.Seen(b, alice, "the proof", func(r *v1alpha1.TaskAccessRequest) bool { return r.Status.ClosedAt != nil })
		last.Add(max(receiving.Last(b).Sub(closed), 0))
		proof.Add(gone.Sub(closed))
		if t := task.Get(b).Status.Teardown; t == nil || !t.Proved {
			b.Errorf("%s closed without proof: %+v", task.Name, t)
		}
	}
	if err := publish(all); err != nil {
		b.Fatal(err)
	}
	for _, m := range all {
		b.ReportMetric(float64(m.At(95).Milliseconds()), "ms/p95:"+m.unit())
	}
	b.ReportMetric(0, "ns/op")
}
