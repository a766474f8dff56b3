// Package tail is kubectl access tail: a session as it goes on.
package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of tail.
type Options struct {
	genericiooptions.IOStreams
	recording.Source

	// New leaves out what has happened already.
	New    bool
	Output string
	// Poll is how often to look; 0 is every second.
	Poll time.Duration
	// Wait is the clock; nil is the system's.
	Wait func(ctx context.Context, d time.Duration) error
}

const (
	poll = time.Second
	// over is how many looks in vain pass before asking whether the request is over, and
	// grace how many more once it is: the keeper seals what its proxy left.
	over, grace = 5, 10
)

// Validate asks for a request.
func (o *Options) Validate() error {
	if _, err := replay.NewPrinter(io.Discard, o.Output, false); err != nil {
		return err
	}
	return o.Source.Validate("follow")
}

// Complete has nothing to find out.
func (o *Options) Complete() error {
	if o.Poll == 0 {
		o.Poll = poll
	}
	if o.Wait == nil {
		o.Wait = replay.Sleep
	}
	return nil
}

// Run follows a session to its end.
func (o *Options) Run(ctx context.Context) (err error) {
	opened, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	if len(opened.Tasks) != 1 {
		return fmt.Errorf("%s has recordings of several requests: name one with --uid", o.From)
	}
	t := opened.Tasks[0]
	session, err := o.choose(ctx, opened, t)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.ErrOut, "Following session %s of %s (%s). Ctrl-C ends it.\n", session, record.PrintableLine(t.Label), record.PrintableLine(t.Where))
	events, err := opened.Events(ctx, t, session)
	if err != nil {
		return err
	}
	printer, err := replay.NewPrinter(o.Out, o.Output, replay.IsTerminal(o.Out))
	if err != nil {
		return errors.Join(err, events.Close())
	}
	err = o.follow(ctx, t, events, printer)
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		err = nil // the session's end, or yours
	}
	return errors.Join(err, printer.End(err), events.Close())
}

// choose is the session to follow: the one that is named, or the one that is live.
func (o *Options) choose(ctx context.Context, opened *recording.Opened, t *recording.Task) (string, error) {
	sessions, err := t.Choose(ctx, o.Session)
	if err != nil {
		return "", err
	}
	if o.Session != "" {
		return o.Session, nil
	}
	var live []string
	for _, session := range sessions {
		if v := opened.Look(ctx, t, session, false); v.State == recording.Live || v.State == recording.Incomplete && t.Request == nil {
			live = append(live, session)
		}
	}
	switch len(live) {
	case 1:
		return live[0], nil
	case 0:
		return "", fmt.Errorf("no session of %s goes on: kubectl access replay prints those that are over", t.Label)
	}
	return "", fmt.Errorf("several sessions of %s go on: name one with --session: %s", t.Label, strings.Join(live, ", "))
}

func (o *Options) follow(ctx context.Context, t *recording.Task, events *record.Reader, printer replay.Printer) error {
	idle, left, skip := 0, -1, o.New
	for {
		event, err := events.Next()
		if err == nil {
			idle = 0
			if err := printer.Event(event); err != nil {
				return err
			}
			if skip {
				skip = false
				err = recording.SeekLast(events)
			}
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				continue
			}
		}
		incomplete := &record.IncompleteError{}
		if !errors.As(err, &incomplete) {
			return err
		}
		if idle++; idle%over == 0 && left < 0 && o.ended(ctx, t.Request) {
			left = grace
		}
		if left == 0 {
			return err // it will have no end
		}
		if left > 0 {
			left--
		}
		if err := o.Wait(ctx, o.Poll); err != nil {
			return err
		}
	}
}

// ended says that a request can have no sessions any more; not if it cannot be asked.
func (o *Options) ended(ctx context.Context, request *v1alpha1.TaskAccessRequest) bool {
	if request == nil {
		return false
	}
	c, err := o.Factory.Client()
	if err != nil {
		return false
	}
	now, err := task.Find(ctx, c, request.Namespace, request.Name)
	return err == nil && now.UID == request.UID && now.Status.ClosedAt != nil
}
