package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
)

func TestASignatureIsThatOfTheStandardWebhooksVector(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets, err := readSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if signature := sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)); signature != want {
		t.Errorf("signature %s, want %s", signature, want)
	}
}

func TestAWebhookGetsSignedEventsInOrder(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := newWorld(t, r)
	s, stop := w.start(t, "--audit-sink=webhook:"+r.URL+"/audit?token=abc")
	defer stop()
	want := []string{}
	for n := range 20 {
		e := numbered("task", n)
		s.Emit(e)
		want = append(want, e.ID)
	}
	eventually(t).Eventually(func() []string { return ids(r.received()) }, 10*time.Second).Should(gomega.Equal(want))
	if len(r.forged) > 0 {
		t.Errorf("what came and could not be verified: %v", r.forged)
	}
	eventually(t).Eventually(func() float64 { return w.count(t, "delivered") }, 10*time.Second).Should(gomega.Equal(20.0))
}

func TestWhileASecretIsReplacedTheNextOneSignsToo(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.secret = secretTwo
	w := newWorld(t, r)
	s, stop := w.start(t, "--audit-sink=webhook:"+r.URL)
	defer stop()
	s.Emit(numbered("task", 1))
	eventually(t).Eventually(func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.forged) }, 10*time.Second).Should(gomega.BeNumerically(">", 0))
	// The Secret is mounted: no restart.
	w.write(t, "secret", []byte(secretOne+"\n"+secretTwo+"\n"))
	eventually(t).Eventually(func() int { return len(r.received()) }, 10*time.Second).Should(gomega.Equal(1))
}

func TestAFailingWebhookGetsEverythingOnceItIsWell(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	var calls atomic.Int64
	failures := []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, gone, http.StatusNotFound, http.StatusFound, http.StatusUnauthorized}
	r.answers(func(got) int {
		if n := calls.Add(1); n <= 30 {
			return failures[int(n)%len(failures)]
		}
		return http.StatusOK
	})
	w := newWorld(t, r)
	s, stop := w.start(t, "--audit-sink=webhook:"+r.URL)
	defer stop()
	want := []string{}
	for n := range 5 {
		e := numbered("task", n)
		s.Emit(e)
		want = append(want, e.ID)
	}
	eventually(t).Eventually(func() []string { return ids(r.received()) }, 20*time.Second).Should(gomega.Equal(want))
	if w.count(t, "dead") != 0 || w.count(t, "failed") < 30 {
		t.Errorf("dead %v, failed %v: a sick endpoint makes no dead letters, and is tried again", w.count(t, "dead"), w.count(t, "failed"))
	}
}

func TestAStallingWebhookIsLeftAndTriedAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	release := make(chan struct{})
	var calls atomic.Int64
	r.answers(func(got) int {
		if calls.Add(1) == 1 {
			<-release
		}
		return http.StatusOK
	})
	defer close(release)
	w := newWorld(t, r)
	s, err := w.open("--audit-sink=webhook:" + r.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.outputs[0].(*webhook).endpoint.client.Timeout = 50 * time.Millisecond
	stop := startOpened(t, s)
	defer stop()
	e := numbered("task", 1)
	s.Emit(e)
	eventually(t).Eventually(func() []string { return ids(r.received()) }, 10*time.Second).Should(gomega.ContainElement(e.ID))
}

func TestAPoisonEventBecomesADeadLetterAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	poison := numbered("task", 2)
	r.answers(func(e got) int {
		if e.ID == poison.ID {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	w := newWorld(t, r)
	s, stop := w.start(t, "--audit-sink=webhook:"+r.URL)
	defer stop()
	first, last := numbered("task", 1), numbered("task", 3)
	s.Emit(first, poison, last)
	eventually(t).Eventually(func() []string { return ids(r.received()) }, 10*time.Second).Should(gomega.ContainElements(first.ID, last.ID))
	var told got
	eventually(t).Eventually(func() bool {
		for _, e := range r.received() {
			if e.Type == StreamUndeliverable {
				told = e
				return true
			}
		}
		return false
	}, 10*time.Second).Should(gomega.BeTrue())
	if told.Data["event"] != poison.ID || !strings.Contains(told.Data["message"].(string), "422") {
		t.Errorf("told of the dead letter: %v", told.Data)
	}
	letters, err := filepath.Glob(filepath.Join(w.dir, "spool", "*", "dead-letters.jsonl"))
	if err != nil || len(letters) != 1 {
		t.Fatalf("dead letters %v, %v", letters, err)
	}
	content, err := os.ReadFile(letters[0])
	if err != nil {
		t.Fatal(err)
	}
	var letter struct {
		Reason string
		Event  got
	}
	if err := json.Unmarshal(content, &letter); err != nil || letter.Event.ID != poison.ID {
		t.Errorf("dead letter %s: %v", content, err)
	}
	if w.count(t, "dead") != 1 {
		t.Errorf("%v dead letters counted", w.count(t, "dead"))
	}
}

func TestARefusedToldDeadLetterIsNotToldAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.answers(func(got) int { return http.StatusBadRequest })
	w := newWorld(t, r)
	s, stop := w.start(t, "--audit-sink=webhook:"+r.URL)
	s.Emit(numbered("task", 1))
	eventually(t).Eventually(func() float64 { return w.count(t, "dead") }, 10*time.Second).Should(gomega.Equal(2.0))
	stop()
	if dead := w.count(t, "dead"); dead != 2 {
		t.Errorf("%v dead letters: the event, and that it was refused", dead)
	}
}

func TestWhatWasSpooledIsDeliveredAfterARestart(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.answers(func(got) int { return http.StatusServiceUnavailable })
	w := newWorld(t, r)
	sink := "--audit-sink=webhook:" + r.URL
	want := map[string][]string{}
	for life := range 3 {
		s, stop := w.start(t, sink)
		for n := range 10 {
			for _, subject := range []string{"a", "b", "c", "d", "e", "f"} {
				e := numbered(subject, life*10+n)
				s.Emit(e)
				want["payments/"+subject] = append(want["payments/"+subject], e.ID)
			}
		}
		stop()
	}
	r.answers(func(got) int { return http.StatusOK })
	_, stop := w.start(t, sink)
	defer stop()
	eventually(t).Eventually(func() map[string][]string { return firsts(r.received()) }, 20*time.Second).Should(gomega.Equal(want))
}

func TestAFullSpoolDropsTheNewestAndTellsOfTheGap(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.answers(func(got) int { return http.StatusServiceUnavailable })
	w := newWorld(t, r)
	s, stop := w.start(t, "--audit-sink=webhook:"+r.URL, "--audit-spool-mib=1")
	defer stop()
	words := strings.Repeat("x", 8000)
	sent := []string{}
	emitted := 0
	for w.count(t, "dropped") == 0 {
		e := New(OperationDenied, Subject{Namespace: "payments", Request: "task"}, time.Unix(1700000000, 0), Operation{Text: words}, "n", string(rune(emitted)))
		s.Emit(e)
		sent = append(sent, e.ID)
		if emitted++; emitted > 5000 {
			t.Fatal("40 MB fit into a spool of 1 MiB")
		}
	}
	r.answers(func(got) int { return http.StatusOK })
	var gap *got
	eventually(t).Eventually(func() bool {
		for _, e := range r.received() {
			if e.Type == StreamDropped {
				gap = &e
				return true
			}
		}
		return false
	}, 20*time.Second).Should(gomega.BeTrue())
	if gap.Data["count"] != 1.0 {
		t.Errorf("the gap is told as %v", gap.Data)
	}
	kept := firsts(r.received())["payments/task"]
	if diff := cmp.Diff(sent[:len(sent)-1], kept); diff != "" {
		t.Errorf("what had room did not arrive in order (-want +got):\n%s", diff)
	}
}

// startOpened starts a stream that the test has changed.
func startOpened(t *testing.T, s *Stream) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		_ = s.Start(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// firsts is, a subject, the events in the order of their first arrival: at least once
// means that some arrive again.
func firsts(events []got) map[string][]string {
	seen, out := map[string]bool{}, map[string][]string{}
	for _, e := range events {
		if !seen[e.ID] && e.Subject != "" {
			seen[e.ID] = true
			out[e.Subject] = append(out[e.Subject], e.ID)
		}
	}
	return out
}

func TestASecretThatIsNoneIsRefusedWithoutBeingQuoted(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no prefix": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "no base64": "whsec_hunter2!", "short": "whsec_aHVudGVyMg==", "empty": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readSecrets(path)
			if err == nil {
				t.Fatal("it was taken")
			}
			if word := strings.TrimSpace(strings.TrimPrefix(content, "whsec_")); word != "" && bytes.Contains([]byte(err.Error()), []byte(word)) {
				t.Errorf("the error quotes it: %v", err)
			}
		})
	}
}
