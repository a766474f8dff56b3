package terminal

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
)

// screen is what a client sees.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	fails error
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return 0, s.fails
	}
	return s.text.Write(p)
}

func (s *screen) shows(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text.String() != want {
		t.Errorf("it shows %q, want %q", s.text.String(), want)
	}
}

func detectors(t *testing.T) *mask.Set {
	t.Helper()
	set, err := mask.Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{
		{Name: "mail", Detect: v1alpha1.DetectEmail}, {Name: "card", Detect: v1alpha1.DetectPaymentCard}}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func write(t *testing.T, o *Output, text string) {
	t.Helper()
	if _, err := o.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestAPromptIsShownAfterAShortSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		o := NewOutput(detectors(t), s, Options{})
		write(t, o, "mail ada@exam")
		s.shows(t, "")
		write(t, o, "ple.com\r\ndeploy@web1:~$ ")
		time.Sleep(2 * quiet)
		s.shows(t, "mail [redacted]\r\ndeploy@web1:~$ ")
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if n := o.Counts()["detector mail"]; n != 1 {
			t.Errorf("%d masked", n)
		}
	})
}

func TestTheBeginningOfAValueIsHeldThenMasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		o := NewOutput(detectors(t), s, Options{})
		write(t, o, "card 4111 1111 1")
		time.Sleep(overdue / 2)
		s.shows(t, "card ")
		time.Sleep(overdue)
		s.shows(t, "card [redacted]")
		write(t, o, "$ ")
		time.Sleep(2 * quiet)
		s.shows(t, "card [redacted]$ ")
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnEchoIsShownAtOnceAndAPasswordIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		o := NewOutput(detectors(t), s, Options{})
		for _, c := range "ls\x7f\r" {
			o.Typed([]byte(string(c)))
		}
		write(t, o, "l")
		s.shows(t, "l")
		write(t, o, "s\b \b\r\nx")
		s.shows(t, "ls\b \b\r\n")
		o.Typed([]byte("secret"))
		time.Sleep(2 * remembered)
		s.shows(t, "ls\b \b\r\nx")
		write(t, o, "secret")
		s.shows(t, "ls\b \b\r\nx")
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		s.shows(t, "ls\b \b\r\nxsecret")
		if strings.Contains(string(o.echo.expected[:cap(o.echo.expected)]), "secret") {
			t.Error("what was typed is still in memory")
		}
	})
}

func TestWhatCannotBeHandedOnIsReportedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("the client is gone")
		s := &screen{fails: failed}
		o := NewOutput(detectors(t), s, Options{})
		write(t, o, "$ ")
		time.Sleep(2 * quiet)
		synctest.Wait()
		if _, err := o.Write([]byte("x")); !errors.Is(err, failed) {
			t.Errorf("the next write says %v", err)
		}
		if err := o.Close(); !errors.Is(err, failed) {
			t.Errorf("closing says %v", err)
		}
	})
}

func TestWithoutDetectorsNothingWaits(t *testing.T) {
	t.Parallel()
	s := &screen{}
	o := NewOutput(nil, s, Options{})
	write(t, o, "ada@example.com")
	if s.text.String() != "ada@example.com" || o.timer != nil {
		t.Errorf("%q is shown", s.text.String())
	}
}

func TestConcurrentWritersAndTimersAreSafe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		o := NewOutput(detectors(t), s, Options{})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 200 {
					o.Typed([]byte("a"))
					_, _ = o.Write([]byte("a"))
					time.Sleep(quiet / 2)
				}
			})
		}
		all.Wait()
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		s.shows(t, strings.Repeat("a", 800))
	})
}

// stuck is a client that does not read.
type stuck struct{ reads chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.reads; return len(p), nil }

func TestWhatIsTypedWaitsForNoOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := stuck{make(chan struct{})}
		o := NewOutput(detectors(t), client, Options{})
		written := make(chan error, 1)
		go func() {
			_, err := o.Write([]byte(strings.Repeat("a flood\n", 1000)))
			written <- err
		}()
		synctest.Wait()
		o.Typed([]byte{3})
		if len(written) > 0 {
			t.Error("the flood was not in the way")
		}
		close(client.reads)
		if err := <-written; err != nil {
			t.Error(err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
}
