package conformance

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// patience bounds what must happen by itself.
const patience = 10 * time.Second

// Run runs every law, each with a driver of its own.
func Run(t *testing.T, newDriver func(testing.TB) Driver) {
	t.Helper()
	for _, law := range []struct {
		name string
		hold func(*testing.T, *bench)
	}{
		{"AnOperationIsRecordedBeforeItIsForwarded", recordBeforeForward},
		{"AnOperationWaitsUntilItsRecordIsSettled", settleBeforeForward},
		{"AFailureToRecordEndsTheSession", recorderFailureEnds},
		{"AFailureToSettleEndsTheSession", settleFailureEnds},
		{"AStoreThatFailsBehindEndsTheSession", storeFailureEnds},
		{"UnderBestEffortAFailureToRecordIsTold", bestEffortGoesOn},
		{"AnErrorOfThePolicyDenies", policyErrorDenies},
		{"ARefusalNamesItsRuleAndLeavesTheSessionUsable", refusalKeepsSession},
		{"WhatIsNotUnderstoodIsRefused", notUnderstoodIsRefused},
		{"AHoldStopsItsOperationAlone", holdStopsOneOperation},
		{"AnApprovalReleasesExactlyWhatWasAsked", approvalReleases},
		{"ADeniedOperationIsRefusedInWords", denialRefuses},
		{"ACancelledHoldIsWithdrawn", cancelWithdraws},
		{"AClientThatLeavesWithdrawsItsHold", leavingWithdraws},
		{"AHoldThatNobodyAnswersIsRefused", timeoutRefuses},
		{"AnApprovalOfOtherBytesReleasesNothing", otherDigestReleasesNothing},
		{"AHoldEndsWithItsTask", endWithdraws},
		{"AfterTheEndNoBytePasses", endStopsEverything},
		{"AWaitingClientGoesOnByItself", waitingClientGoesOn},
		{"AWaitThatIsDeniedEnds", waitEnds},
		{"AnotherPersonIsRefused", anotherPersonIsRefused},
	} {
		t.Run(law.name, func(t *testing.T) { law.hold(t, newBench(t, newDriver(t))) })
	}
}

// bench is one engine served on loopback.
type bench struct {
	Driver
	task    *sessiontest.Task
	address string

	mu     sync.Mutex
	report func(session.Report)
}

// onReport calls hook with every report from now on.
func (b *bench) onReport(hook func(session.Report)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report = hook
}

func (b *bench) reported(report session.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.report != nil {
		b.report(report)
	}
}

func newBench(t *testing.T, driver Driver) *bench {
	t.Helper()
	b := &bench{Driver: driver}
	b.task = sessiontest.New(t, nil, func(o *session.Options) {
		o.Protocol, o.Dial, o.Report = driver.Engine().Protocol(), driver.Dial, b.reported
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		s := &server.Server{Engine: driver.Engine(), Task: b.task.Task, Log: logr.Discard()}
		if err := s.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		served.Wait()
	})
	b.address = listener.Addr().String()
	return b
}

func (b *bench) grant(change ...func(*v1alpha1.AccessPolicySpec)) {
	policy := b.Policy()
	for _, apply := range change {
		apply(&policy)
	}
	b.task.Update(sessiontest.Granted(policy, nil)(b.task.Key))
}

func (b *bench) connect(t *testing.T) Client {
	t.Helper()
	client, err := b.connectAs(t, b.task.Key)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (b *bench) connectAs(t *testing.T, key sessiontest.Key) (Client, error) {
	t.Helper()
	conn, err := net.Dial("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		t.Fatal(err)
	}
	client, err := b.Connect(t, conn, key)
	if err == nil {
		t.Cleanup(func() { _ = client.Close() })
	}
	return client, err
}

func (b *bench) mustDo(t *testing.T, client Client, text string) {
	t.Helper()
	if err := client.Do(text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !b.Reached(text) {
		t.Fatalf("%s did not reach the target", text)
	}
}

// mustRefuse says that the client is told every one of the words, and the target nothing.
func (b *bench) mustRefuse(t *testing.T, client Client, text string, words ...string) {
	t.Helper()
	err := client.Do(text)
	if err == nil || b.Reached(text) {
		t.Fatalf("%s was not refused: %v", text, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the refusal does not say %q: %v", word, err)
		}
	}
}

func policyErrorDenies(t *testing.T, b *bench) {
	b.grant(func(p *v1alpha1.AccessPolicySpec) {
		p.Rules = []v1alpha1.Rule{{
			Name: "fails", When: "1 / (action.statements - action.statements) == 1", Effect: v1alpha1.EffectAllow,
		}}
	})
	b.mustRefuse(t, b.connect(t), b.Operations().Allowed, "fails")
}

func refusalKeepsSession(t *testing.T, b *bench) {
	b.grant()
	client := b.connect(t)
	b.mustRefuse(t, client, b.Operations().Refused, "orders-read", "grant")
	b.mustDo(t, client, b.Operations().Allowed)
}

func notUnderstoodIsRefused(t *testing.T, b *bench) {
	b.grant()
	client := b.connect(t)
	b.mustRefuse(t, client, b.Operations().NotUnderstood)
	b.mustDo(t, client, b.Operations().Allowed)
}

func endStopsEverything(t *testing.T, b *bench) {
	b.grant()
	idle, busy := b.connect(t), b.connect(t)
	b.mustDo(t, busy, b.Operations().Allowed)
	b.task.Update(sessiontest.Ended(b.task.Key))
	ended := time.Now()
	if err := busy.Do(b.Operations().AllowedToo); err == nil || b.Reached(b.Operations().AllowedToo) {
		t.Error("an operation passed after the end")
	}
	for _, client := range []Client{idle, busy} {
		if err := client.Closed(); err != nil {
			t.Error(err)
		}
	}
	if late := time.Since(ended); late > time.Second {
		t.Errorf("the last byte came %v after the end", late)
	}
	if _, err := b.connectAs(t, b.task.Key); err == nil || !strings.Contains(err.Error(), "closed by alice") {
		t.Errorf("a new client is told: %v", err)
	}
}

func waitingClientGoesOn(t *testing.T, b *bench) {
	b.task.Update(sessiontest.Waiting(b.task.Key))
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.awaitNotice(t, "kubectl approve")
		b.grant()
	}()
	client := b.connect(t)
	<-done
	b.mustDo(t, client, b.Operations().Allowed)
}

func waitEnds(t *testing.T, b *bench) {
	b.task.Update(sessiontest.Waiting(b.task.Key))
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.awaitNotice(t, "kubectl approve")
		b.task.Update(sessiontest.Ended(b.task.Key))
	}()
	if _, err := b.connectAs(t, b.task.Key); err == nil || !strings.Contains(err.Error(), "closed by alice") {
		t.Errorf("the client is told: %v", err)
	}
	<-done
}

// awaitNotice waits until a client has been told something.
func (b *bench) awaitNotice(t *testing.T, words string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		events, err := b.task.Recordings.Events("")
		if err != nil {
			t.Error(err)
			return
		}
		for _, event := range events {
			if strings.Contains(event.Notice, words) {
				return
			}
		}
	}
	t.Errorf("no client was told %q", words)
}

func anotherPersonIsRefused(t *testing.T, b *bench) {
	b.grant()
	if _, err := b.connectAs(t, sessiontest.NewKey(t, "mallory")); err == nil {
		t.Error("a key that the request does not name was taken")
	}
	if list := b.task.Recordings.Sessions(); len(list) != 0 {
		t.Error("a recording was opened for them:", list)
	}
}
