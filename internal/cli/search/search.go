// Package search is kubectl access search: where in the recordings something is.
package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of search.
type Options struct {
	genericiooptions.IOStreams
	recording.Source
	Query

	Since, Until string
	// Limit is how many results are enough; 0 is all.
	Limit  int
	Output string
	Now    func() time.Time
}

// Complete has nothing to find out.
func (*Options) Complete() error { return nil }

// Validate refuses unknown formats, and to look for nothing.
func (o *Options) Validate() (err error) {
	if o.Output != "" && o.Output != "jsonl" {
		return fmt.Errorf("unknown output format %q: use jsonl", o.Output)
	}
	if o.Query.Since, err = parseTime("since", o.Since, o.Now()); err != nil {
		return err
	}
	if o.Query.Until, err = parseTime("until", o.Until, o.Now()); err != nil {
		return err
	}
	return o.validate()
}

// errEnough ends a search.
var errEnough = errors.New("enough was found")

// Run prints what matches as it is found. A recording that cannot be read keeps no
// other back, and fails the whole at the end.
func (o *Options) Run(ctx context.Context) (err error) {
	opened, failed, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	s := &searching{Options: o, progress: terminal.NewProgress(o.ErrOut)}
	for i, t := range opened.Tasks {
		s.task, s.label = t, fmt.Sprintf("%s, %d of %d", t.Label, i+1, len(opened.Tasks))
		if err = s.all(ctx, opened); err != nil {
			break
		}
	}
	s.progress.Done()
	for _, err := range append(s.failed, failed...) {
		fmt.Fprintln(o.ErrOut, record.PrintableLine(kube.Message(err)))
	}
	switch {
	case errors.Is(err, errEnough):
		fmt.Fprintf(o.ErrOut, "There may be more: these are the first %d.\n", o.Limit)
	case err != nil:
		return err
	case s.count == 0:
		fmt.Fprintf(o.ErrOut, "Nothing found in %d sessions, %d events.\n", s.sessions, s.events)
	}
	if len(s.failed)+len(failed) > 0 {
		return &kube.ExitError{Code: 1}
	}
	return nil
}

func (o *Options) open(ctx context.Context) (*recording.Opened, []error, error) {
	if o.Name != "" || o.UID != "" || o.From != "" {
		opened, err := o.Open(ctx)
		return opened, nil, err
	}
	return o.OpenAll(ctx, func(r *v1alpha1.TaskAccessRequest) bool {
		return (o.Task == "" || strings.EqualFold(o.Task, r.Spec.Task.ID) || strings.EqualFold(o.Task, r.Name)) &&
			(o.User == "" || strings.EqualFold(o.User, r.Spec.Requester.Username)) &&
			(o.Query.Until.IsZero() || !r.CreationTimestamp.After(o.Query.Until)) &&
			(o.Query.Since.IsZero() || r.Status.ClosedAt == nil || !r.Status.ClosedAt.Time.Before(o.Query.Since))
	})
}

// searching is a search under way.
type searching struct {
	*Options

	progress *terminal.Progress
	task     *recording.Task
	label    string

	sessions, count int
	events          int64
	failed          []error
	headed          bool
}

func (s *searching) all(ctx context.Context, opened *recording.Opened) error {
	sessions, err := s.task.Choose(ctx, s.Session)
	if err != nil {
		s.failed = append(s.failed, err)
		return ctx.Err()
	}
	for _, session := range sessions {
		s.sessions++
		s.say(session)
		err := s.session(ctx, opened, session)
		if errors.Is(err, errEnough) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if err != nil {
			s.failed = append(s.failed, fmt.Errorf("session %s: %w", session, err))
		}
	}
	return nil
}

func (s *searching) session(ctx context.Context, opened *recording.Opened, session string) error {
	events, err := opened.Events(ctx, s.task, session)
	if err != nil {
		return err
	}
	f := &finder{
		query: &s.Query, events: events, began: map[int64]int64{}, screens: map[int64]*replay.Lines{},
		found: s.found,
		scanned: func(n int64) {
			s.events += n
			s.say(session)
		},
	}
	err = f.run()
	s.events += f.sequence % tick
	return errors.Join(err, events.Close())
}

func (s *searching) say(session string) {
	s.progress.Tick("searching %s: session %s, %d events, %d found", s.label, session, s.events, s.count)
}

func (s *searching) found(f Found) error {
	s.count++
	if f.Request == "" {
		f.Request = s.task.Label
	}
	s.progress.Done()
	if err := s.print(f); err != nil {
		return err
	}
	if s.Limit > 0 && s.count >= s.Limit {
		return errEnough
	}
	return nil
}

func (s *searching) print(f Found) error {
	if s.Output == "jsonl" {
		encoded, err := json.Marshal(f)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.Out, "%s\n", record.PrintableJSON(encoded))
		return err
	}
	const row = "%-20s  %-36s  %-8s  %-20s  %-10s  %-15s  %s\n"
	if !s.headed {
		s.headed = true
		if _, err := fmt.Fprintf(s.Out, row, "REQUEST", "SESSION", "EVENT", "TIME", "USER", "VERDICT", "WHAT"); err != nil {
			return err
		}
	}
	word := f.Verdict
	if word == "" {
		word = f.Kind
	}
	_, err := fmt.Fprintf(s.Out, row, record.PrintableLine(f.Request), record.PrintableLine(f.Session), f.Seek(), f.Time.UTC().Format("2006-01-02 15:04:05Z"),
		record.PrintableLine(f.User), record.PrintableLine(word), record.PrintableLine(f.Clip(72)))
	return err
}
