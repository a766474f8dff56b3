package postgres

import "time"

// past is a deadline that has passed: it ends every blocking call.
var past = time.Unix(1, 0)

// within is a deadline for a connection. The network measures it by the machine's own
// clock, whatever clock anyone injects.
func within(d time.Duration) time.Time {
	return time.Now().Add(d) //nolint:forbidigo // see above
}
