// Package export is kubectl access export: recordings in the formats that others read.
package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// Options of export.
type Options struct {
	genericiooptions.IOStreams
	Source recording.Source

	// Format of transcript.Formats. File to write; "-", and none, is standard output.
	Format, File string
}

// Validate asks for something to export, and a format.
func (o *Options) Validate() error {
	if !slices.Contains(transcript.Formats, o.Format) {
		return fmt.Errorf("unknown format %q: use --format with one of %s", o.Format, strings.Join(transcript.Formats, ", "))
	}
	return o.Source.Validate("export")
}

// Complete has nothing to find out.
func (*Options) Complete() error { return nil }

// exitIncomplete is the exit code where a session has no end yet, as of verify.
const exitIncomplete = 2

// Run exports sessions, one after the other. One that cannot be believed to its end is
// exported up to there, does not keep the others back, and fails the whole.
func (o *Options) Run(ctx context.Context) (err error) {
	opened, err := o.Source.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	out, done, err := o.output()
	if err != nil {
		return err
	}
	problems, err := o.write(ctx, opened, out)
	if err := done(err); err != nil {
		return err
	}
	return o.tell(problems)
}

// write exports all sessions, and says which could not be read to their end.
func (o *Options) write(ctx context.Context, opened *recording.Opened, out io.Writer) (problems []error, err error) {
	exporter, err := transcript.NewExporter(o.Format, out)
	if err != nil {
		return nil, err
	}
	chosen, err := o.choose(ctx, opened)
	if err != nil {
		return nil, err
	}
	for _, c := range chosen {
		events, err := opened.Events(ctx, c.task, c.session)
		if err == nil {
			err = errors.Join(exporter.Session(events), events.Close())
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("session %s: %w", c.session, err))
		}
	}
	return problems, exporter.Close()
}

// choice is one session to export.
type choice struct {
	task    *recording.Task
	session string
}

func (o *Options) choose(ctx context.Context, opened *recording.Opened) ([]choice, error) {
	var chosen []choice
	for _, t := range opened.Tasks {
		sessions, err := t.Choose(ctx, o.Source.Session)
		if err != nil {
			return nil, err
		}
		for _, session := range sessions {
			chosen = append(chosen, choice{t, session})
		}
	}
	switch {
	case len(chosen) == 0:
		return nil, errors.New("there are no recordings: nobody has connected")
	case len(chosen) > 1 && o.Format == transcript.FormatAsciicast:
		names := make([]string, len(chosen))
		for i, c := range chosen {
			names[i] = c.session
		}
		return nil, fmt.Errorf("an asciicast holds one session: say --session with one of %s", strings.Join(names, ", "))
	}
	return chosen, nil
}

// tell says what is not whole, beside the export.
func (o *Options) tell(problems []error) error {
	code := 0
	for _, err := range problems {
		fmt.Fprintln(o.ErrOut, record.PrintableLine(err.Error()))
		if incomplete := (&record.IncompleteError{}); !errors.As(err, &incomplete) {
			code = 1
		} else if code == 0 {
			code = exitIncomplete
		}
	}
	if code == 0 {
		return nil
	}
	return &kube.ExitError{Code: code}
}

// output is where to write. A file appears under its name when it is whole, and only
// its owner reads it.
func (o *Options) output() (out io.Writer, done func(error) error, err error) {
	if o.File == "" || o.File == "-" {
		if file, ok := o.Out.(*os.File); ok && o.Format == transcript.FormatHTML && term.IsTerminal(int(file.Fd())) {
			return nil, nil, errors.New("a page is not for a terminal: name a file with -o")
		}
		return o.Out, func(err error) error { return err }, nil
	}
	file, err := os.CreateTemp(filepath.Dir(o.File), "."+filepath.Base(o.File)+".*")
	if err != nil {
		return nil, nil, err
	}
	return file, func(err error) error {
		err = errors.Join(err, file.Close())
		if err == nil {
			err = os.Rename(file.Name(), o.File)
		}
		if err != nil {
			return errors.Join(err, os.Remove(file.Name()))
		}
		return nil
	}, nil
}
