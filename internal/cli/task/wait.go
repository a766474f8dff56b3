package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/terminal"
)

// interval between two looks at a request.
const interval = 250 * time.Millisecond

// Until looks at a request until done says so, showing meanwhile what say has to
// say. An error of done ends it. The wait is bounded by timeout.
func Until(
	ctx context.Context, c client.Client, r *v1alpha1.TaskAccessRequest, timeout time.Duration, progress *terminal.Progress,
	say func(*v1alpha1.TaskAccessRequest) string, done func(*v1alpha1.TaskAccessRequest) (bool, error),
) (*v1alpha1.TaskAccessRequest, error) {
	defer progress.Done()
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	key := client.ObjectKeyFromObject(r)
	for {
		if over, err := done(r); over || err != nil {
			return r, err
		}
		progress.Say("%s", say(r))
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return r, errors.New("interrupted")
			}
			return r, fmt.Errorf("gave up on %s after %s: %s", r.Name, timeout, say(r))
		case <-time.After(interval):
		}
		now := &v1alpha1.TaskAccessRequest{}
		if err := c.Get(bounded, key, now); err != nil {
			if bounded.Err() != nil {
				continue
			}
			return r, err
		}
		r = now
	}
}
