package record_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
)

func grantOf(text string) *record.Grant {
	return &record.Grant{
		Policy: "orders-fix", Digest: "v1:sha256:" + strings.Repeat("ab", 32), Deadline: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		Review: "pay-1423-review", Outcome: "v1:sha256:" + strings.Repeat("cd", 32), Bytes: int64(len(text)), Text: []byte(text),
	}
}

// granting is a session whose grant is extended once.
func granting() []*record.Event {
	later := grantOf(`{"policy":{"rules":[{"name":"no-\u0000where"}]},"grant":{}}`)
	later.Deadline = later.Deadline.Add(time.Hour)
	allow := &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-fix", Rule: "grant"}
	return []*record.Event{
		{Type: record.EventGrant, Grant: grantOf("{\"policy\":{\"targets\":[\"orders\"]}}\n")},
		{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Kind: "select", Text: "SELECT 1"}, Verdict: allow},
		nil,
		{Type: record.EventGrant, Grant: later},
		{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 1}},
	}
}

func TestAGrantIsReadWithItsText(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, granting()...)
	var got []*record.Grant
	for _, event := range readAll(t, w.sealed()) {
		if event.Grant != nil {
			got = append(got, event.Grant)
		}
	}
	want := granting()
	if diff := cmp.Diff([]*record.Grant{want[0].Grant, want[3].Grant}, got); diff != "" {
		t.Fatal(diff)
	}
	text, ok, err := got[1].Terms()
	if err != nil || !ok || !bytes.Contains(text.Policy, []byte("rules")) || string(text.Grant) != "{}" {
		t.Errorf("%+v, %v, %v", text, ok, err)
	}
	if _, err := check(w.sealed(), expected(w)); err != nil {
		t.Error(err)
	}
}

func TestATextThatIsTooLongIsLeftOutAndItsSizeIsSaid(t *testing.T) {
	t.Parallel()
	w := write(t, record.Options{}, &record.Event{Type: record.EventGrant, Grant: grantOf(strings.Repeat("x", record.MaxBlock+1))})
	got := readAll(t, w.sealed())[1].Grant
	if got == nil || got.Bytes != record.MaxBlock+1 || len(got.Text) != 0 {
		t.Fatalf("%+v", got)
	}
	if _, ok, err := got.Terms(); ok || err != nil {
		t.Error(ok, err)
	}
}
