package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/proxy/server"
)

func TestABusyProcessGetsAllProcessorsAndOneThatIsNotGetsOne(t *testing.T) {
	t.Parallel()
	const quarter = 250 * time.Millisecond
	shares := []float64{0.1, 0.8, 0.9, 1.9, 0.8, 0.75, 0.6, 0.8, 0}
	ticks := make(chan time.Time)
	ctx, cancel := context.WithCancel(t.Context())
	looked, now, used := 0, time.Unix(0, 0), time.Duration(0)
	var set []int
	p := server.Processors{Most: 4, Ticks: ticks,
		Used: func() (time.Duration, error) {
			if looked > 0 {
				used += time.Duration(shares[looked-1] * float64(quarter))
			}
			looked++
			return used, nil
		},
		Set: func(n int) int {
			set = append(set, n)
			return 0
		},
	}
	done := make(chan error)
	go func() { done <- p.Watch(ctx) }()
	for range len(shares) + 1 {
		ticks <- now
		now = now.Add(quarter)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]int{1, 4, 1, 4}, set); diff != "" {
		t.Error(diff)
	}
}
