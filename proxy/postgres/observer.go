package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// observerTimeout bounds each query of an observer on the target, in milliseconds.
const observerTimeout = "2000"

// observer is a second session with the same login that changes nothing. It sees what
// is committed. It is dialled when it is first needed.
type observer struct {
	session door
	task    string
	// path is the search_path that the client has begun with, "" if it said nothing.
	path string
	up   *Upstream
}

// inquire asks the target. The connection is given up when it does not answer.
func (o *observer) inquire(ctx context.Context, text string, values ...string) ([][][]byte, error) {
	if o.up == nil {
		if err := o.dial(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := o.up.inquire(ctx, text, values...)
	var told *ownError
	if err != nil && !errors.As(err, &told) {
		o.close()
	}
	return rows, err
}

// ask is inquire with every value as text, NULL as "".
func (o *observer) ask(ctx context.Context, text string) ([][]string, error) {
	rows, err := o.inquire(ctx, text)
	return asText(rows), err
}

func (o *observer) dial(ctx context.Context) error {
	attributes := map[string]string{
		parameterApplication:            applicationName(o.task, "observer"),
		"default_transaction_read_only": "on",
		"statement_timeout":             observerTimeout,
		"lock_timeout":                  observerTimeout,
	}
	if o.path != "" {
		attributes[parameterSearchPath] = o.path
	}
	conn, err := o.session.Dial(ctx, attributes)
	if err != nil {
		return fmt.Errorf("a second connection: %w", err)
	}
	up, ok := conn.(*Upstream)
	if !ok {
		return errors.New("the way to the target speaks another protocol")
	}
	o.up = up
	return nil
}

// close ends the session on the target in peace, if it can.
func (o *observer) close() {
	if o.up == nil {
		return
	}
	_ = o.up.SetDeadline(within(farewellTimeout))
	_, _ = o.up.Write(wire.AppendTerminate(nil))
	_ = o.up.Close()
	o.up = nil
}
