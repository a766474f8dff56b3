package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAnEventIsACloudEventInStructuredMode(t *testing.T) {
	t.Parallel()
	e := New(GrantRevoked, Subject{Namespace: "payments", Request: "pay-1423", UID: "0e5f"}, time.Date(2026, 3, 2, 10, 0, 0, 5e6, time.FixedZone("CET", 3600)),
		Revoked{Target: "orders", Reason: "Closed", Message: "the request was closed"})
	line, err := encode(testSource, e)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"specversion":"1.0","id":"afcc7ed775d4c2ea2345f76e891f3e54","source":"urn:sallyport:0123456789abcdef",` +
		`"type":"dev.sallyport.grant.revoked","subject":"payments/pay-1423","time":"2026-03-02T09:00:00.005Z","requestuid":"0e5f",` +
		`"datacontenttype":"application/json","data":{"target":"orders","reason":"Closed","message":"the request was closed"}}`
	if diff := cmp.Diff(want, string(line)); diff != "" {
		t.Errorf("the encoding is a promise (-want +got):\n%s", diff)
	}
}

func TestIdentitiesTellEventsApartAndNothingElse(t *testing.T) {
	t.Parallel()
	subject := Subject{Namespace: "a", Request: "b", UID: "c"}
	one := New(SessionBegun, subject, time.Unix(1, 0), Session{}, "x", "yz")
	if again := New(SessionBegun, subject, time.Unix(2, 0), Session{Message: "told anew"}, "x", "yz"); again.ID != one.ID {
		t.Error("the same thing, told later, has another identity")
	}
	for name, other := range map[string]Event{
		"words":   New(SessionBegun, subject, time.Unix(1, 0), Session{}, "xy", "z"),
		"type":    New(SessionEnded, subject, time.Unix(1, 0), Session{}, "x", "yz"),
		"subject": New(SessionBegun, Subject{Namespace: "a", Request: "b", UID: "d"}, time.Unix(1, 0), Session{}, "x", "yz"),
	} {
		if other.ID == one.ID {
			t.Errorf("other %s have the same identity", name)
		}
	}
	read := func() string { return Once(RecordingRead, subject, time.Unix(1, 0), Read{}).ID }
	if first, second := read(), read(); first == second {
		t.Error("two reads have one identity")
	}
}

func TestAnEventFitsItsBoundAndDisturbsNoTerminal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.IntRange(0, 70000), func(n int) string { return strings.Repeat("\u202e\x1b[2J\u0085ä<&\x7f", n/8) }))
		list := rapid.SliceOfN(text, 0, 300)
		data := Operation{
			Operation: text.Draw(t, "operation"), Text: text.Draw(t, "text"), Message: text.Draw(t, "message"),
			Reads: list.Draw(t, "reads"), Writes: list.Draw(t, "writes"),
		}
		line, err := encode(testSource, New(OperationHeld, Subject{Namespace: "n", Request: "r"}, time.Unix(1, 0), data))
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		if len(line) > MaxEvent || !utf8.Valid(line) || !json.Valid(line) {
			t.Fatalf("%d bytes: %.200q", len(line), line)
		}
		for _, r := range string(line) {
			if r < ' ' || disturbs(r) {
				t.Fatalf("%U in %.200q", r, line)
			}
		}
		var back struct{ Data Operation }
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("read back: %v", err)
		}
		if !strings.Contains(string(line), `"truncated":true`) && back.Data.Text != strings.ToValidUTF8(data.Text, "\ufffd") {
			t.Fatalf("%q came back as %q", data.Text, back.Data.Text)
		}
	})
}
