// Package replay is kubectl access replay: it prints recordings for people, and for
// programs.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of replay.
type Options struct {
	genericiooptions.IOStreams
	recording.Source

	// Output is text or jsonl.
	Output string
	// Speed is how many times faster than it happened; 0 is at once, Unpaced below that
	// is the session's own: as it happened for a terminal that is drawn on a terminal,
	// else at once.
	Speed float64
	// MaxIdle cuts longer pauses; IdleSkip cuts them to a second.
	MaxIdle  time.Duration
	IdleSkip bool
	// Seek is where to begin.
	Seek string

	// Wait is the clock; nil is the system's.
	Wait func(ctx context.Context, d time.Duration) error
	// Terminal says that Out is one.
	Terminal bool

	place place
}

// SpeedOfSession leaves the speed to the session.
const SpeedOfSession = -1

const (
	idleSkip           = time.Second
	minSpeed, maxSpeed = 0.01, 1000
)

// Validate refuses what cannot be replayed, or not so.
func (o *Options) Validate() error {
	if _, err := NewPrinter(io.Discard, o.Output, false); err != nil {
		return err
	}
	if o.Speed > 0 && (o.Speed < minSpeed || o.Speed > maxSpeed) {
		return fmt.Errorf("--speed is from %v to %v, or 0 for at once", minSpeed, maxSpeed)
	}
	if o.MaxIdle < 0 {
		return errors.New("--max-idle is a duration: 2s")
	}
	if o.Seek != "" {
		var err error
		if o.place, err = parsePlace(o.Seek); err != nil {
			return err
		}
	}
	return o.Source.Validate("replay")
}

// Complete finds out what it prints to.
func (o *Options) Complete() error {
	o.Terminal = o.Terminal || IsTerminal(o.Out)
	if o.Wait == nil {
		o.Wait = Sleep
	}
	if o.IdleSkip && (o.MaxIdle == 0 || o.MaxIdle > idleSkip) {
		o.MaxIdle = idleSkip
	}
	return nil
}

// IsTerminal says whether somebody looks at it.
func IsTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Run prints the sessions of a request. One that cannot be believed does not keep the
// others from being printed, but fails the whole.
func (o *Options) Run(ctx context.Context) (err error) {
	opened, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	failed, found := 0, 0
	for _, t := range opened.Tasks {
		sessions, err := t.Choose(ctx, o.Session)
		if err != nil && len(opened.Tasks) == 1 {
			return err
		}
		for _, session := range sessions {
			found++
			err := o.session(ctx, opened, t, session)
			switch {
			case ctx.Err() != nil:
				return &kube.ExitError{Code: 130}
			case err != nil:
				failed++
				fmt.Fprintln(o.ErrOut, record.PrintableLine(fmt.Sprintf("error: session %s: %s", session, kube.Message(err))))
			}
		}
	}
	switch {
	case found == 0 && o.Session != "":
		return fmt.Errorf("there is no session %s: see kubectl access sessions", o.Session)
	case found == 0:
		return opened.Tasks[0].None()
	case failed > 0:
		return &kube.ExitError{Code: 1}
	}
	return nil
}

// session prints one session. That it has no end yet is said in the print, and no
// failure.
func (o *Options) session(ctx context.Context, opened *recording.Opened, t *recording.Task, session string) error {
	events, err := opened.Events(ctx, t, session)
	if err != nil {
		return err
	}
	printer, err := NewPrinter(o.Out, o.Output, o.Terminal)
	if err != nil {
		return errors.Join(err, events.Close())
	}
	err = o.play(ctx, events, printer)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	closing := errors.Join(printer.End(err), events.Close())
	if incomplete := (&record.IncompleteError{}); errors.As(err, &incomplete) {
		err = nil
	}
	return errors.Join(err, closing)
}

func (o *Options) play(ctx context.Context, events *record.Reader, printer Printer) error {
	paced := pace{speed: o.Speed, maxIdle: o.MaxIdle, wait: o.Wait}
	seeking, began := o.Seek != "", false
	for {
		event, err := events.Next()
		if err != nil {
			return err
		}
		if event.Sequence == 1 && began {
			continue // who it is has been printed, and the place is the beginning
		}
		began = true
		if start := event.Start; start != nil && o.Speed < 0 && o.Terminal && drawn(start) {
			paced.speed = 1
		}
		if err := paced.before(ctx, event.Time); err != nil {
			return err
		}
		if err := printer.Event(event); err != nil {
			return err
		}
		if seeking {
			seeking = false
			if err := o.place.seek(events, event.Time); err != nil {
				return err
			}
			paced.last = time.Time{}
		}
	}
}

// drawn says that a session shows a terminal.
func drawn(start *record.Start) bool { return start.Protocol != "postgres" }
