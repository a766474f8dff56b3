package control

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
)

func pair(t testing.TB) (*Opener, *Sealer) {
	t.Helper()
	opener, err := NewOpener()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := NewSealer(opener.Public())
	if err != nil {
		t.Fatal(err)
	}
	return opener, sealer
}

func TestEveryFieldOfAStateCrossesTheWire(t *testing.T) {
	t.Parallel()
	opener, sealer := pair(t)
	rapid.Check(t, func(t *rapid.T) {
		want := grant.State{
			Phase: rapid.SampledFrom([]grant.Phase{grant.Waiting, grant.Granted, grant.Ended}).Draw(t, "phase"),
			Task:  rapid.Make[grant.Task]().Draw(t, "task"),
			Wait:  rapid.String().Draw(t, "wait"), Reason: rapid.String().Draw(t, "reason"),
		}
		if want.Phase == grant.Granted {
			want.Grant = &grant.Grant{
				PolicyName: rapid.String().Draw(t, "policy"), PolicyDigest: rapid.String().Draw(t, "digest"),
				Deadline: time.Unix(rapid.Int64Range(1, 1<<32).Draw(t, "deadline"), 5).UTC(),
				Postgres: rapid.Ptr(rapid.Make[grant.PostgresUpstream](), true).Draw(t, "postgres"),
			}
		}
		encoded, err := EncodeState(want, sealer)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := proto.Marshal(encoded)
		if err != nil {
			t.Fatal(err)
		}
		var arrived controlpb.State
		if err := proto.Unmarshal(wire, &arrived); err != nil {
			t.Fatal(err)
		}
		got, err := DecodeState(&arrived, opener)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func withSecret() grant.State {
	return grant.State{
		Phase: grant.Granted, Task: grant.Task{RequestUID: "u"},
		Grant: &grant.Grant{Deadline: time.Unix(1, 0), Postgres: &grant.PostgresUpstream{Password: "pa55word", ClientKey: "k3y"}},
	}
}

func TestNoSecretIsPrintedWithAMessageOrAState(t *testing.T) {
	t.Parallel()
	_, sealer := pair(t)
	state := withSecret()
	message, err := EncodeState(state, sealer)
	if err != nil {
		t.Fatal(err)
	}
	wire, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s", message, message, message, message) + prototext.Format(message) + protojson.Format(message) +
		fmt.Sprintf("%v %+v %#v", state.Grant.Postgres, state.Grant.Postgres, state.Grant.Postgres) + string(wire)
	for _, plain := range []string{"pa55word", "k3y"} {
		for _, form := range []string{plain, hex.EncodeToString([]byte(plain)), base64.StdEncoding.EncodeToString([]byte(plain)), fmt.Sprintf("%d", []byte(plain))} {
			if strings.Contains(printed, strings.Trim(form, "[]=")) {
				t.Fatalf("a secret is printed")
			}
		}
	}
}

func TestASealedCredentialIsForOneProxyAndOneRequest(t *testing.T) {
	t.Parallel()
	opener, sealer := pair(t)
	other, _ := pair(t)
	message, err := EncodeState(withSecret(), sealer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeState(message, other); err == nil {
		t.Error("another proxy opened it")
	}
	message.Task.RequestUid = "v"
	if _, err := DecodeState(message, opener); err == nil {
		t.Error("it was opened for another request")
	}
}

func TestWhatIsNotUnderstoodIsNoGrant(t *testing.T) {
	t.Parallel()
	opener, sealer := pair(t)
	message, err := EncodeState(withSecret(), sealer)
	if err != nil {
		t.Fatal(err)
	}
	message.Phase = 17
	if got, err := DecodeState(message, opener); err != nil || got.Phase != grant.Waiting || got.Grant != nil {
		t.Errorf("an unknown phase: %v, %v", got.Phase, err)
	}
	message.Phase = controlpb.Phase_PHASE_GRANTED
	message.Grant.Policy = []byte("{")
	if _, err := DecodeState(message, opener); err == nil {
		t.Error("a grant without a policy was taken")
	}
	message.Grant = nil
	if _, err := DecodeState(message, opener); err == nil {
		t.Error("a grant without content was taken")
	}
	ended := withSecret()
	ended.Phase = grant.Ended
	if message, err := EncodeState(ended, sealer); err != nil || message.Grant != nil {
		t.Errorf("a grant left with phase Ended: %v", err)
	}
	for name, state := range map[string]grant.State{
		"granted without a grant": {Phase: grant.Granted}, "no phase": {}, "no deadline": {Phase: grant.Granted, Grant: &grant.Grant{}},
	} {
		if _, err := EncodeState(state, sealer); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestAReportCrossesTheWireWithinItsBounds(t *testing.T) {
	t.Parallel()
	report := Report{Port: 5432, Ready: true, Isolated: true, Isolation: "dial tcp: timeout", Active: 1, Total: 2, Allowed: 3, Refused: 4}
	for i := range MaxHeads + 3 {
		report.Heads = append(report.Heads, record.Head{Session: fmt.Sprint("s-", i), Sequence: int64(i), Hash: strings.Repeat("0a", 32)})
	}
	got, err := DecodeReport(EncodeReport(report))
	if err != nil {
		t.Fatal(err)
	}
	report.Heads = report.Heads[3:]
	if diff := cmp.Diff(report, got); diff != "" {
		t.Fatal(diff)
	}
	if size := proto.Size(EncodeReport(report)); size > 32<<10 {
		t.Fatalf("a full report has %d bytes: half of what the manager takes", size)
	}
}

func TestWhatAProxySaysOfItsIsolationIsAlwaysTaken(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := string(rapid.SliceOf(rapid.Byte()).Draw(t, "line")) + strings.Repeat(rapid.String().Draw(t, "more"), 20)
		if _, err := DecodeReport(EncodeReport(Report{Isolation: line})); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	})
}
