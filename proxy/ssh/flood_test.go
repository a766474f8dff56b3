package ssh

import (
	"errors"
	"io"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// hugeModulus is an odd number of 16384 bits.
func hugeModulus() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), 16383)
	return n.Add(n, big.NewInt(1))
}

func TestSSH7_ChannelsOfAConnectionAreBounded(t *testing.T) {
	t.Parallel()
	client := granted(t, unrestricted()).connect(t)
	var open []ssh.Channel
	for range maxChannels {
		channel, requests, err := client.OpenChannel("session", nil)
		if err != nil {
			t.Fatalf("after %d: %v", len(open), err)
		}
		go ssh.DiscardRequests(requests)
		open = append(open, channel)
	}
	_, _, err := client.OpenChannel("session", nil)
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage || !strings.Contains(refused.Message, "at most 64") {
		t.Errorf("one more: %v", err)
	}
	_ = open[0].Close()
	await(t, "a place that is given back", func() bool {
		channel, requests, err := client.OpenChannel("session", nil)
		if err != nil {
			return false
		}
		go ssh.DiscardRequests(requests)
		return channel.Close() == nil
	})
}

func TestSSH7_AFloodOfRefusedChannelsIsSlowedAndBounded(t *testing.T) {
	t.Parallel()
	b := granted(t, granting(v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{{Argv: []string{"true"}}}}))
	client := b.connect(t)
	before := runtime.NumGoroutine()
	began := time.Now()
	stop := time.After(2 * time.Second)
	refused := 0
flood:
	for {
		select {
		case <-stop:
			break flood
		default:
		}
		if _, _, err := client.OpenChannel("direct-vsock", nil); err == nil {
			t.Fatal("it was opened")
		}
		refused++
	}
	if most := refusalsAtOnce + int(time.Since(began).Seconds()+1)*refusalsPerSecond; refused > most {
		t.Errorf("%d refusals in %s", refused, time.Since(began))
	}
	if now := runtime.NumGoroutine(); now > before+200 {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run("true"); err != nil {
		t.Error("the session is not usable afterwards:", err)
	}
}

func TestSSH7_ADeniedChannelTakesAWindowAndNoMore(t *testing.T) {
	t.Parallel()
	b := granted(t, granting(v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{{Argv: []string{"true"}}}}))
	client := b.connect(t)
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	// Nothing was granted on it: its 4 GiB go nowhere.
	written := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(channel, io.LimitReader(zeros{}, 4<<30))
		written <- n
	}()
	select {
	case n := <-written:
		t.Fatalf("%d bytes were taken", n)
	case <-time.After(300 * time.Millisecond):
	}
	if done, err := channel.SendRequest("exec", true, ssh.Marshal(&execRequest{"id"})); err != nil || !done {
		t.Error(done, err)
	}
	if n := <-written; n > 3<<20 {
		t.Errorf("%d bytes were taken", n)
	}
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run("true"); err != nil {
		t.Error("the session is not usable afterwards:", err)
	}
}

func TestSSH7_AnOversizedRequestIsRefused(t *testing.T) {
	t.Parallel()
	client := granted(t, unrestricted()).connect(t)
	for _, size := range []int{maxPayload + 1, 250 << 10} {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(strings.Repeat("x", size)); err == nil {
			t.Errorf("a command of %d bytes ran", size)
		}
	}
	if s, err := client.NewSession(); err != nil || s.Run("true") != nil {
		t.Error("the session is not usable afterwards:", err)
	}
}

func TestSSH7_VariablesOfAChannelAreBounded(t *testing.T) {
	t.Parallel()
	client := granted(t, unrestricted()).connect(t)
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxEnvironment + 1 {
		if err := s.Setenv("V", "x"); (err != nil) != (i >= maxEnvironment) {
			t.Fatalf("variable %d: %v", i, err)
		}
	}
}

func TestNoMoreSessionsIsObeyed(t *testing.T) {
	t.Parallel()
	client := granted(t, unrestricted()).connect(t)
	if _, _, err := client.SendRequest("no-more-sessions@openssh.com", true, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.NewSession(); err == nil {
		t.Error("another session was opened")
	}
}
