package transcript_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

func TestAGrantIsShownInOneLineAndItsPolicyIsInTheLines(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		transcript.FormatAsciicast: "granted by policy orders-fix", transcript.FormatHTML: "granted by policy orders-fix",
		transcript.FormatJSONL: `"terms":{"policy":{"targets":["orders"]}}`, transcript.FormatCSV: "SELECT 1",
	} {
		out := export(t, format, recorded(start("postgres"),
			record.Event{Type: record.EventGrant, Grant: &record.Grant{
				Policy: "orders-fix " + hostile, Deadline: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), Review: "pay-1423",
				Text: []byte(`{"policy":{"targets":["orders"]}}`),
			}},
			record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Text: "SELECT 1"}, Verdict: &record.Verdict{Operation: 1, Effect: "Allow"}},
			record.Event{Type: record.EventEnd, End: &record.End{}}))
		if !strings.Contains(out, want) {
			t.Errorf("%s does not have %q:\n%s", format, want, out)
		}
		if format == transcript.FormatHTML && strings.Contains(out, "<script>alert") || strings.Contains(out, "\x1b]52") {
			t.Errorf("%s lets what was recorded out", format)
		}
	}
}
