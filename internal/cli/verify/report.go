package verify

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// Report prints what a verification has shown in one paragraph, and says the exit code
// that it makes. withoutKey says that nobody asks who wrote the recording.
func Report(out io.Writer, session string, summary record.Summary, expect record.Expectation, withoutKey bool, err error) int {
	code, verdict := 0, "OK: complete, and its chain is whole"
	switch {
	case isIncomplete(err):
		code = exitIncomplete
		verdict = "INCOMPLETE: its chain is whole as far as it goes, but " + line(err.Error())
	case err != nil:
		code, verdict = exitFailed, "FAILED: "+line(err.Error())
	case len(expect.Keys) > 0 && unproved(summary):
		code = exitUnsigned
		verdict = "UNSIGNED: complete, and its chain is whole, but " + unsigned(summary)
	case len(expect.Keys) > 0 || attested(summary, expect):
	case withoutKey:
		verdict = "OK (without a key): complete, and its chain is whole; who wrote it was not checked"
	default:
		code = exitUnsigned
		verdict = "UNVERIFIED: complete, and its chain is whole, but anybody can have written it: no key is known here to check its signatures with. " +
			"--key FILE gives one (ConfigMap sallyport-recording-keys of namespace sallyport-proxies has it); --without-key does without"
	}
	fmt.Fprintf(out, "session %s: %s\n", line(session), verdict)
	corrupt := &record.CorruptError{}
	for _, fact := range facts(summary, expect, errors.As(err, &corrupt)) {
		fmt.Fprintf(out, "  %s\n", fact)
	}
	return code
}

// attested says that the request's status has the head of its very end: the manager's word,
// without a key.
func attested(s record.Summary, expect record.Expectation) bool {
	return s.HeadChecked && slices.ContainsFunc(expect.Heads, func(h record.Head) bool { return h.Sequence == s.Head.Sequence })
}

// unproved says that not all of it rests on a signature. A format before 1.0 has none:
// there the head that was reported must do.
func unproved(s record.Summary) bool {
	if s.Segments == 0 && !s.Open {
		return !s.HeadChecked
	}
	return s.SignedSegment < s.Segments || s.SignedEvent < s.Head.Sequence
}

func unsigned(s record.Summary) string {
	switch {
	case s.Segments == 0 && !s.Open:
		return "its format has no signatures, and no reported head to compare with is known here"
	case s.SignedSegment == 0:
		return "none of its segments is signed"
	case s.SignedSegment == s.Segments:
		return fmt.Sprintf("what follows event %d is not signed", s.SignedEvent)
	}
	return fmt.Sprintf("segments from %d on are not signed", s.SignedSegment+1)
}

func facts(s record.Summary, expect record.Expectation, corrupt bool) (facts []string) {
	if s.Start != nil {
		facts = append(facts, fmt.Sprintf("%d events, %d operations by %s, %s to %s",
			s.Head.Sequence, s.Operations, line(s.Start.User), s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339)))
	}
	if s.Segments > 0 {
		facts = append(facts, fmt.Sprintf("%d segments, %d bytes; %s", s.Segments, s.Bytes, signatures(s, expect)))
	}
	if text := s.BehindText(); text != "" {
		facts = append(facts, line(text))
	}
	if s.Encrypted && !s.Read {
		facts = append(facts, "encrypted: bytes and signatures were checked, events were not read (--identity FILE reads them)")
	}
	if s.Head.Hash != "" {
		facts = append(facts, "head "+line(s.Head.Hash))
	}
	switch {
	case s.HeadChecked:
		facts = append(facts, "agrees with the head that was reported")
	case len(expect.Heads) == 0 && s.SignedSegment == 0 && s.Start != nil && !corrupt:
		facts = append(facts, "no reported head and no checked signature to compare with: a recording written anew from its first line would look the same")
	}
	return facts
}

// signatures says who vouches for how much.
func signatures(s record.Summary, expect record.Expectation) string {
	keys := line(strings.Join(s.Keys, ", "))
	switch {
	case s.SignedSegment == 0 && len(s.Keys) > 0 && len(expect.Keys) == 0:
		return fmt.Sprintf("signatures of key %s were not checked: --key FILE checks them", keys)
	case len(expect.Keys) == 0 && len(s.Keys) > 0:
		return fmt.Sprintf("signed up to segment %d (event %d) by key %s, which is not known here: --key FILE says who that is", s.SignedSegment, s.SignedEvent, keys)
	case s.SignedSegment == 0:
		return "not signed"
	}
	return fmt.Sprintf("signed up to segment %d (event %d) by key %s", s.SignedSegment, s.SignedEvent, keys)
}

func line(text string) string { return record.PrintableLine(text) }
