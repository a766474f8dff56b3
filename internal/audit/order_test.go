package audit

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"pgregory.net/rapid"
)

// TestNoEventIsLostOrReorderedWithinItsSubject lets a receiver answer with anything
// that a sick endpoint answers with, and ends the manager at any moment: of each
// subject everything arrives, at least once, in the order in which it was emitted.
func TestNoEventIsLostOrReorderedWithinItsSubject(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := newWorld(t, r)
	dir, run := w.dir, 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		script := rapid.SliceOfN(rapid.SampledFrom([]int{
			http.StatusOK, http.StatusOK, http.StatusAccepted, http.StatusInternalServerError, http.StatusServiceUnavailable,
			http.StatusTooManyRequests, http.StatusNotFound, http.StatusPermanentRedirect, gone,
		}), 1, 30).Draw(t, "answers")
		step := make(chan int, len(script))
		for _, status := range script {
			step <- status
		}
		r.answers(func(got) int {
			select {
			case status := <-step:
				return status
			default:
				return http.StatusOK
			}
		})
		here := &world{dir: dir, stdout: w.stdout, now: w.now}
		args := []string{"--audit-sink=webhook:" + r.URL, "--audit-spool-dir=" + fmt.Sprintf("%s/run-%d", dir, run)}
		want := map[string][]string{}
		n := 0
		for range rapid.IntRange(1, 3).Draw(t, "lives") {
			s, stop := here.start(t, args...)
			for range rapid.IntRange(0, 20).Draw(t, "events") {
				n++
				e := numbered(fmt.Sprintf("%d-%d", run, rapid.IntRange(0, 4).Draw(t, "subject")), n)
				want[e.Subject.String()] = append(want[e.Subject.String()], e.ID)
				s.Emit(e)
			}
			stop()
		}
		_, stop := here.start(t, args...)
		defer stop()
		// What an earlier run left under way may still arrive.
		mine := func() map[string][]string {
			arrived := firsts(r.received())
			for subject := range arrived {
				if want[subject] == nil {
					delete(arrived, subject)
				}
			}
			return arrived
		}
		gomega.NewWithT(t).Eventually(mine, 20*time.Second, time.Millisecond).Should(gomega.Equal(want))
		if len(r.forged) > 0 {
			t.Fatalf("unverified: %v", r.forged)
		}
	})
}
