// Package verify checks a recording offline, and says what that has shown.
package verify

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// Run checks one recording, and prints one paragraph. The error is nil only for a
// complete recording that agrees with all that is expected; it is then also printed:
// an *record.IncompleteError is a session that runs, or whose proxy died.
func Run(out io.Writer, in io.Reader, expect record.Expectation) error {
	summary, err := record.VerifyFile(in, expect)
	session := summary.Header.Session
	if session == "" {
		session = expect.Session
	}
	var incomplete *record.IncompleteError
	verdict := "OK: complete, and its chain is whole"
	switch {
	case errors.As(err, &incomplete):
		verdict = "INCOMPLETE: its chain is whole as far as it goes, but " + record.PrintableLine(err.Error())
	case err != nil:
		verdict = "FAILED: " + record.PrintableLine(err.Error())
	}
	if _, printing := fmt.Fprintf(out, "session %s: %s\n%s", record.PrintableLine(session), verdict, facts(summary, expect, err)); printing != nil {
		return errors.Join(err, printing)
	}
	return err
}

func facts(summary record.Summary, expect record.Expectation, err error) string {
	if summary.Start == nil {
		return ""
	}
	text := fmt.Sprintf("  %d events, %d operations by %s, %s to %s\n  head %s\n",
		summary.Head.Sequence, summary.Operations, record.PrintableLine(summary.Start.User),
		summary.First.Format(time.RFC3339), summary.Last.Format(time.RFC3339), summary.Head.Hash)
	switch {
	case summary.HeadChecked:
		return text + fmt.Sprintf("  agrees with the head that was reported, event %d\n", expect.Head.Sequence)
	case expect.Head == nil && !isCorrupt(err):
		return text + "  no reported head to compare with: a recording written anew from its first line would look the same\n"
	}
	return text
}

func isCorrupt(err error) bool {
	var corrupt *record.CorruptError
	return errors.As(err, &corrupt)
}
