package tail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/cli/tail"
	"github.com/sallyport/sallyport/internal/cli/terminal/terminaltest"
	"github.com/sallyport/sallyport/internal/record"
)

// followed runs the verb; at each look in vain the next of the steps is taken, and after
// the last one the user leaves.
func followed(t *testing.T, from string, change func(o *tail.Options), steps ...func()) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut terminaltest.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := &tail.Options{
		IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: &errOut}, Source: recording.Source{From: from},
		Wait: func(ctx context.Context, _ time.Duration) error {
			if len(steps) == 0 {
				cancel()
				return ctx.Err()
			}
			steps[0]()
			steps = steps[1:]
			return nil
		},
	}
	if change != nil {
		change(o)
	}
	if err := errors.Join(o.Validate(), o.Complete()); err != nil {
		t.Fatal(err)
	}
	err = o.Run(ctx)
	return out.String(), errOut.String(), err
}

func TestATailFollowsTheJournalItsSealingAndTheNextToTheEnd(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, recordingtest.Start("s0"), recordingtest.End(0, 0))
	live := folder.Begin(t, recordingtest.Start("s1"))
	live.Add(recordingtest.Operation(1, "select", "SELECT 'first'", "Allow"))
	out, stderr, err := followed(t, folder.Path, nil,
		func() { live.Add(recordingtest.Operation(2, "select", "SELECT 'second'", "Allow")) },
		func() {
			if err := live.Rotate(); err != nil {
				t.Error(err)
			}
			live.Add()
		},
		func() {
			live.Add(recordingtest.Operation(3, "select", "SELECT 'third'", "Deny"))
			if err := live.Rotate(); err != nil {
				t.Error(err)
			}
			live.Add(recordingtest.Operation(4, "select", "SELECT 'fourth'", "Allow"))
		},
		func() {
			live.Add(recordingtest.End(3, 1))
			live.End()
		})
	if err != nil || !strings.Contains(stderr, "Following session s1 of ") {
		t.Errorf("%v %s", err, stderr)
	}
	var got []string
	for line := range strings.Lines(out) {
		if _, text, ok := strings.Cut(line, "SELECT "); ok {
			got = append(got, strings.TrimSpace(text))
		}
	}
	if strings.Join(got, " ") != "'first' 'second' 'third' 'fourth'" || !strings.Contains(out, "# ended") || strings.Contains(out, "# incomplete") {
		t.Errorf("%q\n%s", got, out)
	}
}

func TestATailMayLeaveOutWhatHasHappened(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	live := folder.Begin(t, recordingtest.Start("s1"))
	live.Add(recordingtest.Operation(1, "select", "SELECT 'first'", "Allow"), recordingtest.Operation(2, "select", "SELECT 'newest'", "Allow"))
	out, _, err := followed(t, folder.Path, func(o *tail.Options) { o.New = true },
		func() { live.Add(recordingtest.Operation(3, "select", "SELECT 'next'", "Allow")) })
	if err != nil || strings.Contains(out, "'first'") || !strings.Contains(out, "'next'") || !strings.Contains(out, "# session s1") {
		t.Errorf("%v\n%s", err, out)
	}
	live.End()
}

func TestWhatCannotBeFollowedIsSaid(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, recordingtest.Start("s0"), recordingtest.End(0, 0))
	_, _, err := followed(t, folder.Path, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "no session of ") {
		t.Error(err)
	}
	folder.Session(t, recordingtest.Start("s1"))
	folder.Session(t, recordingtest.Start("s2"))
	_, _, err = followed(t, folder.Path, nil)
	if err == nil || !strings.HasSuffix(err.Error(), "name one with --session: s1, s2") {
		t.Error(err)
	}
	_, _, err = followed(t, folder.Path, func(o *tail.Options) { o.Session = "s9" })
	if err == nil || !strings.Contains(err.Error(), "has no session s9") {
		t.Error(err)
	}
}

func TestREC3_WhatIsFollowedIsNeutralised(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	live := folder.Begin(t, recordingtest.Start("s1"))
	live.Add(record.Event{Type: record.EventNotice, Notice: "\x1b]52;c;eA==\x07"})
	out, _, err := followed(t, folder.Path, nil, func() { live.Add(recordingtest.Operation(1, "", "\x1b[2J", "Allow")) })
	if err != nil || strings.ContainsAny(out, "\x1b\x07") || !strings.Contains(out, `\x1b[2J`) {
		t.Errorf("%v %q", err, out)
	}
	live.End()
}
