package ledger

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var entry = Entry{
	UID: "11111111-2222-3333-4444-555555555555", Namespace: "payments", Request: "pay-1423", Requester: "bob",
	Policy: "orders-fix", Store: "archive", RetentionDays: 30, OpenedAt: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
}

func TestAnEntrySurvivesItsConfigMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		want := entry
		word := rapid.StringMatching(`[a-z ]{0,12}`)
		want.Hold, want.PolicyHold, want.RequestHold, want.Message = word.Draw(r, "hold"), word.Draw(r, "policy"), word.Draw(r, "request"), word.Draw(r, "message")
		want.RetentionDays = rapid.Int32Range(0, 36500).Draw(r, "days")
		if rapid.Bool().Draw(r, "closed") {
			want.Close(want.OpenedAt.Add(time.Hour))
		}
		got, err := Parse(want.ConfigMap())
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestRetentionCountsFromTheFirstClose(t *testing.T) {
	t.Parallel()
	e := entry
	closed := e.OpenedAt.Add(time.Hour)
	e.Close(closed)
	e.Close(closed.Add(48 * time.Hour))
	if !e.KeepUntil.Equal(closed.Add(30 * 24 * time.Hour)) {
		t.Errorf("kept until %s", e.KeepUntil)
	}
	endless := entry
	endless.RetentionDays = 0
	endless.Close(closed)
	if !endless.KeepUntil.IsZero() || endless.ConfigMap().Data["keepUntil"] != Forever {
		t.Errorf("0 days are kept until %s", endless.KeepUntil)
	}
}

func TestEveryHoldIsNamedWithWhoseItIs(t *testing.T) {
	t.Parallel()
	e := entry
	if e.Held() != "" {
		t.Errorf("held by nobody: %q", e.Held())
	}
	e.Hold, e.RequestHold = "case 7", "audit"
	if want := "the operator's owners: case 7; the request's annotation: audit"; e.Held() != want {
		t.Errorf("held by %q, want %q", e.Held(), want)
	}
}

func TestAnEntryThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for key, value := range map[string]string{
		"keepUntil": "tomorrow", "closedAt": "x", "retentionDays": "-1", "requestUID": "another", "store": "",
	} {
		config := entry.ConfigMap()
		config.Data[key] = value
		if _, err := Parse(config); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %q: %v", key, value, err)
		}
	}
}

func TestWhatSomebodyAddsToAnEntryStays(t *testing.T) {
	t.Parallel()
	config := entry.ConfigMap()
	config.Data["ticket"] = "LEGAL-9"
	e, err := Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	e.Write(config)
	if config.Data["ticket"] != "LEGAL-9" {
		t.Errorf("data %v", config.Data)
	}
}

func TestSessionsThatAreSignedToTheirEndAreNotedOnceAndBounded(t *testing.T) {
	t.Parallel()
	config := entry.ConfigMap()
	if Retired(config, "s-1") || !Retire(config, "s-1", "s-2") || Retire(config, "s-2") || !Retired(config, "s-2") || Retired(config, "s") {
		t.Errorf("signed: %q", config.Data["signed"])
	}
	many := []string{}
	for n := range maxSigned {
		many = append(many, strings.Repeat("x", 58)+strconv.Itoa(n+100_000))
	}
	Retire(config, many...)
	if size := len(config.Data["signed"]); Retired(config, "s-1") || size > 900_000 {
		t.Errorf("%d bytes, with the oldest: %v", size, Retired(config, "s-1"))
	}
	if parsed, err := Parse(config); err != nil || parsed.Store != entry.Store {
		t.Errorf("the entry is %+v: %v", parsed, err)
	}
}
