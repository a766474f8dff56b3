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
	}{
		{0.1, 0, 2}, {0.8, 1 << 10, 2}, {0.9, 0, 2}, {1.9, 0, 2}, {0.8, 0, 2}, {0.75, 0, 2}, {0.6, 0, 2}, {0.8, 0, 2},
		{0.1, 1 << 20, 2}, {0.8, 0, 2}, {0, 1 << 19, 2}, {1, 1 << 20, 1}, {1, 1 << 20, 3}, {1, 1 << 20, 1},
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
	if diff := cmp.Diff([]int{1, 4, 1, 4, 1, 4, 1, 4}, set); diff != "" {
		t.Error(diff)
	}
}
