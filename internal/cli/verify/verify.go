// Package verify is kubectl access verify: it checks recordings, and says what that has
// shown.
package verify

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of verify.
type Options struct {
	genericiooptions.IOStreams
	recording.Source

	// KeyFiles hold the public keys that may have signed; without them, those that the
	// cluster publishes.
	KeyFiles []string
	// WithoutKey takes recordings for whole where no key is known.
	WithoutKey bool

	keys []ed25519.PublicKey
}

// Validate asks for something to verify.
func (o *Options) Validate() error {
	if o.WithoutKey && len(o.KeyFiles) > 0 {
		return errors.New("give --key or --without-key, not both")
	}
	return o.Source.Validate("verify")
}

// Complete reads the keys.
func (o *Options) Complete() (err error) {
	o.keys, err = recording.ReadKeys(o.KeyFiles)
	return err
}

// Exit codes beside 0: everything is whole, complete and signed.
const (
	exitFailed     = 1 // something was changed, removed or cannot be checked
	exitIncomplete = 2 // something has no end
	exitUnsigned   = 3 // something is whole, but not all of it signed, or no key is known
)

// Run verifies recordings, and prints a paragraph for each. None keeps another from
// being checked.
func (o *Options) Run(ctx context.Context) (err error) {
	opened, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	progress := terminal.NewProgress(o.ErrOut)
	var codes []int
	for _, t := range opened.Tasks {
		sessions, err := t.Choose(ctx, o.Session)
		if err != nil && len(opened.Tasks) == 1 {
			return err
		}
		if err != nil && o.Session == "" {
			codes = append(codes, o.failed(t.Label, err))
		}
		for _, session := range sessions {
			codes = append(codes, o.session(ctx, opened, t, session, progress))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if o.Session == "" {
			codes = append(codes, o.gone(t, sessions)...)
		}
	}
	if len(codes) == 0 {
		return opened.Tasks[0].None()
	}
	for _, code := range []int{exitFailed, exitIncomplete, exitUnsigned} {
		if slices.Contains(codes, code) {
			return &kube.ExitError{Code: code}
		}
	}
	return nil
}

// session verifies one session.
func (o *Options) session(ctx context.Context, opened *recording.Opened, t *recording.Task, session string, progress *terminal.Progress) int {
	expect := Expect(t.Request, session)
	expect.RequestUID, expect.Identities, expect.Keys = t.UID, opened.Identities, o.keys
	if len(o.KeyFiles) == 0 {
		expect.Keys = t.Keys
	}
	watched := &watched{Reader: t.Reader, progress: progress, session: session}
	summary, err := record.Verify(ctx, watched, session, expect)
	if err == nil || isIncomplete(err) {
		if sealed := sealedStatement(ctx, t, session); sealed != nil {
			err = sealed
		}
	}
	progress.Done()
	return Report(o.Out, session, summary, expect, o.WithoutKey, err)
}

func (o *Options) failed(what string, err error) int {
	fmt.Fprintf(o.Out, "%s: FAILED: %s\n", record.PrintableLine(what), record.PrintableLine(kube.Message(err)))
	return exitFailed
}

// gone says which sessions the request knows of, and the store does not.
func (o *Options) gone(t *recording.Task, present []string) (codes []int) {
	if !t.Removed.IsZero() && len(present) == 0 {
		return nil // which is said of all of them at once
	}
	for _, head := range heads(t.Request) {
		if !slices.Contains(present, head.Session) {
			codes = append(codes, o.failed("session "+head.Session, fmt.Errorf("%d events were reported, and the recording is gone", head.Sequence)))
		}
	}
	return codes
}

func heads(request *v1alpha1.TaskAccessRequest) []v1alpha1.RecordingHead {
	if request == nil || request.Status.Recording == nil {
		return nil
	}
	return request.Status.Recording.Head
}

// Expect is what a request's status knows of a session from its proxy's reports.
func Expect(request *v1alpha1.TaskAccessRequest, session string) record.Expectation {
	expect := record.Expectation{Session: session}
	for _, known := range heads(request) {
		if known.Session == session {
			expect.Heads = []record.Head{{Session: session, Sequence: known.Sequence, Hash: known.Hash, Complete: known.Complete}}
		}
	}
	return expect
}

func isIncomplete(err error) bool {
	incomplete := &record.IncompleteError{}
	return errors.As(err, &incomplete)
}
