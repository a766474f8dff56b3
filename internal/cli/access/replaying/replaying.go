// Package replaying is kubectl access replay.
package replaying

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of replay.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory

	// Name of a request, or File with one recording.
	Name, File, Session, Output string
}

// Validate refuses unknown formats, and asks for something to replay.
func (o *Options) Validate() error {
	if (o.Name == "") == (o.File == "") {
		return errors.New("say what to replay: a request's name, or --file with a recording")
	}
	switch o.Output {
	case "", replay.OutputText, replay.OutputJSONL:
		return nil
	}
	return fmt.Errorf("unknown output format %q: use text or jsonl", o.Output)
}

// Complete has nothing to find out.
func (*Options) Complete() error { return nil }

// Run prints the sessions of a request. One that cannot be believed does not keep
// the others from being printed, but fails the whole.
func (o *Options) Run(ctx context.Context) error {
	if o.File != "" {
		in, err := os.Open(o.File)
		if err != nil {
			return err
		}
		return o.print(in)
	}
	c, namespace, err := o.Factory.ClientIn()
	if err != nil {
		return err
	}
	request, err := task.Find(ctx, c, namespace, o.Name)
	if err != nil {
		return err
	}
	config, err := o.Factory.Config()
	if err != nil {
		return err
	}
	source, err := recording.Of(config, request.Namespace, request.Name)
	if err != nil {
		return err
	}
	list, err := source.List(ctx)
	if err != nil {
		return err
	}
	sessions, err := o.choose(request.Name, list.Items)
	if err != nil {
		return err
	}
	var failed []error
	for _, session := range sessions {
		in, err := source.Open(ctx, session)
		if err == nil {
			err = o.print(in)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("session %s: %w", session, err))
		}
	}
	return errors.Join(failed...)
}

func (o *Options) choose(request string, recordings []readerapi.Recording) ([]string, error) {
	var sessions []string
	for _, r := range recordings {
		sessions = append(sessions, r.Session)
	}
	switch {
	case o.Session != "" && !slices.Contains(sessions, o.Session):
		return nil, fmt.Errorf("%s has no session %s: see kubectl access show %s", request, o.Session, request)
	case o.Session != "":
		return []string{o.Session}, nil
	case len(sessions) == 0:
		return nil, fmt.Errorf("%s has no recordings: nobody has connected", request)
	}
	return sessions, nil
}

// print prints one session. That it has no end yet is said in the print, and no failure.
func (o *Options) print(in io.ReadCloser) error {
	err := replay.Run(o.Out, in, o.Output)
	if incomplete := (&record.IncompleteError{}); errors.As(err, &incomplete) {
		err = nil
	}
	return errors.Join(err, in.Close())
}
