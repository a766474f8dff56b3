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

	"github.com/sallyport/sallyport/api/v1alpha1"
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
			Recording: rapid.Make[grant.Recording]().Draw(t, "recording"),
			HostKey:   grant.Secret(rapid.String().Draw(t, "host key")),
		}
		if want.Phase == grant.Granted {
			want.Grant = &grant.Grant{
				PolicyName: rapid.String().Draw(t, "policy"), PolicyDigest: rapid.String().Draw(t, "digest"),
				Review: rapid.String().Draw(t, "review"), Outcome: rapid.String().Draw(t, "outcome"),
				Reviewed: rapid.Ptr(rapid.Just(v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "shop"}}), true).Draw(t, "reviewed"),
				Deadline: time.Unix(rapid.Int64Range(1, 1<<32).Draw(t, "deadline"), 5).UTC(),
				Postgres: rapid.Ptr(rapid.Make[grant.PostgresUpstream](), true).Draw(t, "postgres"),
				SSH:      rapid.Ptr(rapid.Make[grant.SSHUpstream](), true).Draw(t, "ssh"),
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
		Phase: grant.Granted, Task: grant.Task{RequestUID: "u"}, HostKey: "h0stk3y",
		Grant: &grant.Grant{
			Deadline: time.Unix(1, 0), Postgres: &grant.PostgresUpstream{Password: "pa55word", ClientKey: "cl1entk3y"},
			SSH: &grant.SSHUpstream{PrivateKey: "pr1vate", Password: "l0gin"},
		},
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
		fmt.Sprintf("%v %+v %#v", state.Grant.Postgres, state.Grant.Postgres, state.Grant.Postgres) +
		fmt.Sprintf("%v %+v %#v", state.Grant.SSH, state.Grant.SSH, state.Grant.SSH) + fmt.Sprintf("%v %+v %#v", state, state, state) + string(wire)
	for _, plain := range []string{"pa55word", "cl1entk3y", "pr1vate", "l0gin", "h0stk3y"} {
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

func TestASecretThatWasSealedForOneUseServesNoOther(t *testing.T) {
	t.Parallel()
	opener, sealer := pair(t)
	for name, exchange := range map[string]func(*controlpb.State){
		"host key as a login":   func(s *controlpb.State) { s.Grant.Ssh.Sealed = s.HostKey },
		"login as the host key": func(s *controlpb.State) { s.HostKey = s.Grant.Ssh.Sealed },
		"between protocols":     func(s *controlpb.State) { s.Grant.Ssh.Sealed = s.Grant.Postgres.Sealed },
	} {
		message, err := EncodeState(withSecret(), sealer)
		if err != nil {
			t.Fatal(err)
		}
		exchange(message)
		if _, err := DecodeState(message, opener); err == nil {
			t.Error(name)
		}
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
	report := Report{
		Port: 5432, Ready: true, Isolated: true, Isolation: "dial tcp: timeout", Active: 1, Total: 2, Allowed: 3, Refused: 4,
		Lost: "3 events: no space left on device", AuditMissed: 7,
	}
	hash := strings.Repeat("0a", 32)
	for i := range MaxHeads + 3 {
		session := fmt.Sprint("s-", i)
		report.Heads = append(report.Heads, record.Head{Session: session, Sequence: int64(i), Hash: hash})
		report.Sealed = append(report.Sealed, SealedHead{
			Session: session, Segment: 2, Sequence: 3, Hash: hash, Key: "0011223344556677", Signature: []byte(hash),
		})
	}
	for i := range MaxAudit + 2 {
		report.Audit = append(report.Audit, AuditEvent{
			Sequence: int64(i + 1), Time: time.Unix(int64(i), 5).UTC(), Type: AuditOperationDenied, Session: "s-1", Operation: 7, Allowed: 8, Refused: 9,
			Kind: "update", Rule: "grant", Review: "pay-1-ab", Outcome: "Denied", Message: strings.Repeat("x", maxLine),
		})
	}
	got, err := DecodeReport(EncodeReport(report))
	if err != nil {
		t.Fatal(err)
	}
	report.Heads, report.Sealed, report.Audit = report.Heads[3:], report.Sealed[3:], report.Audit[2:]
	report.AuditMissed += 2
	if diff := cmp.Diff(report, got); diff != "" {
		t.Fatal(diff)
	}
	if size := proto.Size(EncodeReport(report)); size > 128<<10 {
		t.Fatalf("a full report has %d bytes: half of what the manager takes", size)
	}
}

func TestWhatAProxySaysOfItsIsolationIsAlwaysTaken(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := string(rapid.SliceOf(rapid.Byte()).Draw(t, "line")) + strings.Repeat(rapid.String().Draw(t, "more"), 20)
		if _, err := DecodeReport(EncodeReport(Report{
			Isolation: line, Lost: line,
			Audit: []AuditEvent{{Sequence: 1, Time: time.Unix(1, 0), Type: AuditSessionEnded, Session: "s", Kind: line, Rule: line, Message: line}},
		})); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	})
}
