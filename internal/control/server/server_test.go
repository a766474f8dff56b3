package server_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/keys"
	"github.com/sallyport/sallyport/internal/record"
)

func TestAProxyIsToldEveryStateOfItsTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	if diff := cmp.Diff(waiting(mine), p.next(t)); diff != "" {
		t.Fatal(diff)
	}

	asked := time.Now()
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(mine) })
	if diff := cmp.Diff(granted(mine), p.next(t)); diff != "" {
		t.Fatal(diff)
	}
	if d := time.Since(asked); d > time.Second {
		t.Errorf("the grant took %s", d)
	}

	asked = time.Now()
	w.tasks.set(func(k *tasks) { k.states[mine] = closed(mine) })
	if diff := cmp.Diff(closed(mine), p.next(t)); diff != "" {
		t.Fatal(diff)
	}
	if d := time.Since(asked); d > time.Second {
		t.Errorf("the revocation took %s", d)
	}
	if err := within(t, p.ran, "end of Run"); err != nil {
		t.Fatal(err)
	}
	p.ran <- nil
}

func TestAProxyHasACertificateOfItsTaskAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	certificate, err := p.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.root.CA())
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: keys.TaskName(mine)}); err != nil {
		t.Error(err)
	}
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: keys.TaskName(others)}); err == nil {
		t.Error("the certificate passes for another task's")
	}
}

func TestACertificateIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	first, err := p.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.ahead.Store(int64(keys.TaskLifetime * 3 / 4))
	gomega.NewWithT(t).Eventually(func() bool {
		now, err := p.Certificate(nil)
		return err == nil && now.Leaf.NotAfter.After(first.Leaf.NotAfter)
	}).WithTimeout(10 * time.Second).Should(gomega.BeTrue())
}

func TestACallerThatDoesNotProveAProxyPodIsRefused(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]func(*authenticationv1.TokenReviewStatus){
		"an expired token":      func(s *authenticationv1.TokenReviewStatus) { *s = authenticationv1.TokenReviewStatus{Error: "expired"} },
		"a token with an error": func(s *authenticationv1.TokenReviewStatus) { s.Error = "odd" },
		"another audience":      func(s *authenticationv1.TokenReviewStatus) { s.Audiences = []string{"kubernetes"} },
		"no audience at all":    func(s *authenticationv1.TokenReviewStatus) { s.Audiences = nil },
		"another namespace": func(s *authenticationv1.TokenReviewStatus) {
			s.User.Username = "system:serviceaccount:default:tar-" + mine
		},
		"a namespace that begins alike": func(s *authenticationv1.TokenReviewStatus) {
			s.User.Username = "system:serviceaccount:sallyport-proxies-x:a"
		},
		"a person":                func(s *authenticationv1.TokenReviewStatus) { s.User.Username = "alice" },
		"a token bound to no pod": func(s *authenticationv1.TokenReviewStatus) { s.User.Extra = nil },
		"two pods": func(s *authenticationv1.TokenReviewStatus) {
			s.User.Extra["authentication.kubernetes.io/pod-name"] = []string{"tar-" + mine, "tar-" + others}
		},
		"the UID of an earlier pod": func(s *authenticationv1.TokenReviewStatus) {
			s.User.Extra["authentication.kubernetes.io/pod-uid"] = []string{"pod-before"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, server.Timing{})
			status := proxyToken(mine)
			token(&status)
			w.tokens.mu.Lock()
			w.tokens.known["mine"] = status
			w.tokens.mu.Unlock()
			p := w.proxy(w.options("mine"))
			gomega.NewWithT(t).Eventually(w.tokens.count).WithTimeout(10 * time.Second).Should(gomega.BeNumerically(">=", 1))
			select {
			case s := <-p.states:
				t.Fatalf("it was told %v", s.Phase)
			case <-time.After(200 * time.Millisecond):
			}
			if !p.LastContact().IsZero() {
				t.Error("it takes that for contact")
			}
			if _, err := p.Certificate(nil); !errors.Is(err, control.ErrNoCertificate) {
				t.Errorf("it got a certificate: %v", err)
			}
		})
	}
}

func TestLIFE6_AStateOfAnotherRequestNeverReachesAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(others) })
	p := w.proxy(w.options("mine"))
	other := w.proxy(w.options("others"))
	if got := other.next(t); got.Task.RequestUID != others {
		t.Fatalf("the other proxy was told of %s", got.Task.RequestUID)
	}
	select {
	case s := <-p.states:
		t.Fatalf("it was told of %s, %s", s.Task.RequestUID, s.Phase)
	case <-time.After(500 * time.Millisecond):
	}
	w.tasks.set(func(k *tasks) { k.states[mine] = waiting(mine) })
	if got := p.next(t); got.Task.RequestUID != mine {
		t.Fatalf("it was told of %s", got.Task.RequestUID)
	}
}

func TestREV4_AStateThatCannotBeReadGrantsNothingAndConfirmsNothing(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	w.tasks.set(func(k *tasks) { k.err, k.states[mine] = errDown, granted(mine) })
	// What was under way may still confirm; then the clock stands.
	var stood time.Time
	g.Eventually(func() bool {
		before := stood
		stood = p.LastContact()
		return stood.Equal(before)
	}).WithPolling(900 * time.Millisecond).WithTimeout(10 * time.Second).Should(gomega.BeTrue())
	select {
	case s := <-p.states:
		t.Fatalf("it was told %s", s.Phase)
	default:
	}
	w.tasks.set(func(k *tasks) { k.err = nil })
	if got := p.next(t); got.Phase != grant.Granted {
		t.Fatalf("it was told %s", got.Phase)
	}
	g.Eventually(p.LastContact).WithTimeout(10 * time.Second).Should(gomega.BeTemporally(">", stood))
}

func TestAManagerThatCannotReadSendsItsProxiesToAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{Hold: 300 * time.Millisecond})
	w.tasks.set(func(k *tasks) { k.err = errDown })
	w.proxy(w.options("mine"))
	// One TokenReview is remembered, so each attempt shows as a subscription.
	gomega.NewWithT(t).Eventually(func() bool {
		w.tasks.mu.Lock()
		defer w.tasks.mu.Unlock()
		return len(w.tasks.changes) == 0
	}).WithTimeout(10 * time.Second).WithPolling(time.Millisecond).Should(gomega.BeTrue())
}

func TestAProxyComesBackWhenTheManagerDoes(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	w := newWorld(t, server.Timing{})
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(mine) })
	p := w.proxy(w.options("mine"))
	p.next(t)
	p.Report(control.Report{Port: 5432, Ready: true})
	within(t, w.tasks.reported, "report")

	w.stop()
	lost := p.LastContact()
	w.start()
	g.Eventually(p.LastContact).WithTimeout(10 * time.Second).Should(gomega.BeTemporally(">", lost))
	// The new manager knows of the proxy what the old one knew.
	if r := within(t, w.tasks.reported, "report to the new manager"); !r.Ready {
		t.Fatal("another report")
	}
	w.tasks.set(func(k *tasks) { k.states[mine] = closed(mine) })
	for p.next(t).Phase != grant.Ended {
	}
}

func TestAReplicaThatLagsTakesNothingBackAndConfirmsNothing(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	w := newWorld(t, server.Timing{})
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(mine) })
	p := w.proxy(w.options("mine"))
	p.next(t)
	w.tasks.set(func(k *tasks) { k.states[mine] = waiting(mine) })
	var stood time.Time
	g.Eventually(func() bool {
		before := stood
		stood = p.LastContact()
		return stood.Equal(before)
	}).WithPolling(900 * time.Millisecond).WithTimeout(10 * time.Second).Should(gomega.BeTrue())
	w.tasks.set(func(k *tasks) { k.states[mine] = closed(mine) })
	if got := p.next(t); got.Phase != grant.Ended {
		t.Fatalf("it was told %s", got.Phase)
	}
}

func TestANewerLifeLineReplacesAnOlder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	one := w.proxy(w.options("mine"))
	one.next(t)
	other := w.proxy(w.options("mine"))
	other.next(t)
	gomega.NewWithT(t).Eventually(func() int {
		w.tasks.mu.Lock()
		defer w.tasks.mu.Unlock()
		return len(w.tasks.changes)
	}).WithTimeout(10 * time.Second).Should(gomega.Equal(1))
}

func TestAProxyWhosePodIsGoneIsCutOff(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	w.pods.set(func(p *pods) { p.gone[mine] = true })
	g.Eventually(func() int {
		w.tasks.mu.Lock()
		defer w.tasks.mu.Unlock()
		return len(w.tasks.changes)
	}).WithTimeout(10 * time.Second).Should(gomega.Equal(0))
	w.tasks.set(func(k *tasks) { k.states[mine] = granted(mine) })
	select {
	case s := <-p.states:
		t.Fatalf("it was told %s", s.Phase)
	case <-time.After(300 * time.Millisecond):
	}
}

func TestTheLastReportArrives(t *testing.T) {
	t.Parallel()
	head := record.Head{Session: "s-1", Sequence: 9, Hash: strings.Repeat("ab", 32), Complete: true}
	for name, end := range map[string]func(*world, *proxy){
		"when the task ends":   func(w *world, _ *proxy) { w.tasks.set(func(k *tasks) { k.states[mine] = closed(mine) }) },
		"when the proxy stops": func(_ *world, p *proxy) { p.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, server.Timing{})
			p := w.proxy(w.options("mine"))
			p.next(t)
			for i := range 20 {
				p.Report(control.Report{Port: 5432, Ready: true, Total: int32(i)})
			}
			last := control.Report{Port: 5432, Ready: true, Total: 21, Allowed: 7, Refused: 2, Heads: []record.Head{head}}
			p.Report(last)
			end(w, p)
			p.ran <- within(t, p.ran, "end of Run")
			gomega.NewWithT(t).Eventually(func() string {
				w.tasks.mu.Lock()
				defer w.tasks.mu.Unlock()
				got := w.tasks.reports[mine]
				return cmp.Diff(last, got[len(got)-1])
			}).WithTimeout(10 * time.Second).Should(gomega.BeEmpty())
			if n := len(w.tasks.reports[mine]); n > 8 {
				t.Errorf("%d reports were passed on, unbounded", n)
			}
		})
	}
}

func TestAClientsTokenCountsForItsOwnTaskAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	bob := authenticationv1.UserInfo{Username: "bob", UID: "7", Groups: []string{"engineering"}}
	w.tokens.mu.Lock()
	w.tokens.known["bobs"] = authenticationv1.TokenReviewStatus{Authenticated: true, User: bob, Audiences: []string{control.ClientAudience(mine)}}
	w.tokens.known["for another task"] = authenticationv1.TokenReviewStatus{Authenticated: true, User: bob, Audiences: []string{control.ClientAudience(others)}}
	w.tokens.known["of the API server"] = authenticationv1.TokenReviewStatus{Authenticated: true, User: bob}
	w.tokens.mu.Unlock()
	p := w.proxy(w.options("mine"))
	got, err := p.Authenticate(context.Background(), "bobs")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(control.User{Username: "bob", UID: "7", Groups: []string{"engineering"}}, got); diff != "" {
		t.Fatal(diff)
	}
	for _, token := range []grant.Secret{"for another task", "of the API server", "unknown", "mine", ""} {
		if _, err := p.Authenticate(context.Background(), token); err == nil {
			t.Errorf("%q: taken", token.Reveal())
		} else if token != "" && token != "mine" && strings.Contains(err.Error(), token.Reveal()) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

func TestTryingTokensIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	before := w.tokens.count()
	for i := range 60 {
		if _, err := p.Authenticate(context.Background(), grant.Secret(fmt.Sprint("guess-", i))); err == nil {
			t.Fatal("a guess was right")
		}
	}
	if asked := w.tokens.count() - before; asked > 40 {
		t.Errorf("the API server was asked %d times", asked)
	}
}

func TestTokenReviewsAreRememberedForAMomentButFailuresAreNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	// Attached and asked ten times: one review of the proxy, ten of clients.
	for range 10 {
		if _, err := p.Authenticate(context.Background(), "x"); err == nil {
			t.Fatal("taken")
		}
	}
	if n := w.tokens.count(); n != 11 {
		t.Errorf("%d reviews", n)
	}
	w.tokens.mu.Lock()
	w.tokens.err = errDown
	w.tokens.mu.Unlock()
	other := w.proxy(w.options("others"))
	select {
	case <-other.states:
		t.Fatal("taken though nobody vouched for it")
	case <-time.After(300 * time.Millisecond):
	}
	w.tokens.mu.Lock()
	w.tokens.err = nil
	w.tokens.mu.Unlock()
	other.next(t)
}

func TestAManagerWithAnotherNameOrAuthorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	wrongName := w.options("mine")
	wrongName.ServerName = keys.TaskName(mine)
	wrongCA := w.options("mine")
	stranger, err := keys.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	wrongCA.CA = stranger.CA()
	a, b := w.proxy(wrongName), w.proxy(wrongCA)
	select {
	case <-a.states:
		t.Error("a manager of another name was trusted")
	case <-b.states:
		t.Error("a manager of another authority was trusted")
	case <-time.After(500 * time.Millisecond):
	}
	if w.tokens.count() != 0 {
		t.Error("a token was shown to a stranger")
	}
}
