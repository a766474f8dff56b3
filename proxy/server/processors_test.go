package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/proxy/server"
)

func TestAProcessThatIsBusyOrMovesMuchGetsAllProcessorsAndAnotherGetsOne(t *testing.T) {
	t.Parallel()
	const quarter = 250 * time.Millisecond
	while := []struct {
		share         float64
		bulk, clients int64
		flushes       bool
	}{
		{share: 0.1, clients: 2}, {share: 0.8, bulk: 1 << 10, clients: 2}, {share: 0.9, clients: 2}, {share: 1.9, clients: 2},
		{share: 0.8, clients: 2}, {share: 0.75, clients: 2}, {share: 0.6, clients: 2}, {share: 0.8, clients: 2},
		{share: 0.1, bulk: 1 << 20, clients: 2}, {share: 0.8, clients: 2}, {bulk: 1 << 19, clients: 2},
		{share: 1, bulk: 1 << 20, clients: 1}, {share: 1, bulk: 1 << 20, clients: 3}, {share: 1, bulk: 1 << 20, clients: 1},
		{flushes: true, clients: 2}, {flushes: true, clients: 1},
	}
	ticks := make(chan time.Time)
	ctx, cancel := context.WithCancel(t.Context())
	looked, now, used, bulk := 0, time.Unix(0, 0), time.Duration(0), int64(0)
	var set []int
	p := server.Processors{Most: 4, Ticks: ticks,
		Used: func() (time.Duration, error) {
			if looked > 0 {
				used += time.Duration(while[looked-1].share * float64(quarter))
				bulk += while[looked-1].bulk
			}
			looked++
			return used, nil
		},
		Bulk:    func() int64 { return bulk },
		Clients: func() int64 { return while[looked-2].clients },
		Flushes: func() bool { return while[looked-2].flushes },
		Set: func(n int) int {
			set = append(set, n)
			return 0
		},
	}
	done := make(chan error)
	go func() { done <- p.Watch(ctx) }()
	for range len(while) + 1 {
		ticks <- now
		now = now.Add(quarter)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]int{1, 4, 1, 4, 1, 4, 1, 4, 1, 4}, set); diff != "" {
		t.Error(diff)
	}
}
