// Package verifying is kubectl access verify.
package verifying

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/verify"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of verify.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory

	// Name of a request, File with a recording, or both: the file is then compared
	// with the head that the request's proxy reported.
	Name, File string
}

// Validate asks for something to verify.
func (o *Options) Validate() error {
	if o.Name == "" && o.File == "" {
		return errors.New("say what to verify: a request's name, or --file with a recording")
	}
	return nil
}

// Complete has nothing to find out.
func (*Options) Complete() error { return nil }

// Exit codes beside 0, everything is whole, and 1, something is not or could not be
// checked.
const exitIncomplete = 2

// Run verifies recordings, and prints a paragraph for each.
func (o *Options) Run(ctx context.Context) error {
	if o.File != "" {
		return outcome([]error{o.file(ctx)})
	}
	request, source, err := o.request(ctx)
	if err != nil {
		return err
	}
	list, err := source.List(ctx)
	if err != nil {
		return err
	}
	var results []error
	present := map[string]bool{}
	for _, r := range list.Items {
		present[r.Session] = true
		results = append(results, o.session(ctx, source, request, r.Session))
	}
	for _, head := range heads(request) {
		if !present[head.Session] {
			err := fmt.Errorf("session %s: FAILED: %d events were reported, and the recording is gone", head.Session, head.Sequence)
			fmt.Fprintln(o.Out, record.PrintableLine(err.Error()))
			results = append(results, err)
		}
	}
	if len(results) == 0 {
		return fmt.Errorf("%s has no recordings: nobody has connected", request.Name)
	}
	return outcome(results)
}

// request is read before its recordings are: what its heads say is then in them.
func (o *Options) request(ctx context.Context) (*v1alpha1.TaskAccessRequest, *recording.Source, error) {
	c, namespace, err := o.Factory.ClientIn()
	if err != nil {
		return nil, nil, err
	}
	request, err := task.Find(ctx, c, namespace, o.Name)
	if err != nil {
		return nil, nil, err
	}
	config, err := o.Factory.Config()
	if err != nil {
		return nil, nil, err
	}
	source, err := recording.Of(config, request.Namespace, request.Name)
	return request, source, err
}

func (o *Options) session(ctx context.Context, source *recording.Source, request *v1alpha1.TaskAccessRequest, session string) error {
	in, err := source.Open(ctx, session)
	if err != nil {
		fmt.Fprintln(o.Out, record.PrintableLine(fmt.Sprintf("session %s: FAILED: it cannot be read: %v", session, err)))
		return err
	}
	return errors.Join(verify.Run(o.Out, in, expectation(request, session)), in.Close())
}

// file verifies a file; with a request's name, against what that request says.
func (o *Options) file(ctx context.Context) (err error) {
	in, err := os.Open(o.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if o.Name == "" {
		return verify.Run(o.Out, in, record.Expectation{})
	}
	request, _, err := o.request(ctx)
	if err != nil {
		return err
	}
	var session string
	if header, err := record.NewFileReader(in); err == nil {
		session = header.Header().Session
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return verify.Run(o.Out, in, expectation(request, session))
}

func heads(request *v1alpha1.TaskAccessRequest) []v1alpha1.RecordingHead {
	if request.Status.Recording == nil {
		return nil
	}
	return request.Status.Recording.Head
}

// expectation is what the manager knows of a session from its proxy's reports.
func expectation(request *v1alpha1.TaskAccessRequest, session string) record.Expectation {
	expect := record.Expectation{Session: session, RequestUID: string(request.UID)}
	known := heads(request)
	if i := slices.IndexFunc(known, func(h v1alpha1.RecordingHead) bool { return h.Session == session }); i >= 0 {
		expect.Head = &record.Head{
			Session: session, Sequence: known[i].Sequence, Hash: known[i].Hash, Complete: known[i].Complete,
		}
	}
	return expect
}

// outcome is what all results make together. What was found has been printed.
func outcome(results []error) error {
	code := 0
	for _, err := range results {
		corrupt, incomplete := &record.CorruptError{}, &record.IncompleteError{}
		switch {
		case err == nil:
		case errors.As(err, &corrupt):
			code = 1
		case errors.As(err, &incomplete):
			if code == 0 {
				code = exitIncomplete
			}
		default:
			return errors.Join(results...)
		}
	}
	if code == 0 {
		return nil
	}
	return &kube.ExitError{Code: code}
}
