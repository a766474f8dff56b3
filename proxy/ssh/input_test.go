package ssh

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/crypto/ssh"
)

// typing is a channel whose client types what is written to it.
type typing struct {
	ssh.Channel
	*io.PipeReader
}

func (t typing) Read(p []byte) (int, error) { return t.PipeReader.Read(p) }
func (t typing) Close() error               { return t.PipeReader.Close() }

// slow is a program that takes what it is sent when it is told to.
type slow struct {
	take chan struct{}
	got  bytes.Buffer
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.take
	return s.got.Write(p)
}

func TestWhatWasTypedAheadArrivesInOrderAndKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	keys, client := io.Pipe()
	c := &connection{engine: New(Options{}), end: func(error) {}}
	c.channels.caught = c.caught
	i := newInput(&sessionChannel{connection: c, client: typing{PipeReader: keys}})
	seen := make(chan struct{})
	i.watch(func() { close(seen) })
	for _, text := range []string{"one ", "two ", "\x03"} {
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
	}
	<-seen
	i.watch(nil)
	program, ended := &slow{take: make(chan struct{})}, make(chan error, 1)
	// The program takes nothing yet: this returns nevertheless.
	i.release(program, nil, func(err error) { ended <- err })
	if _, err := io.WriteString(client, "three"); err != nil {
		t.Fatal(err)
	}
	close(program.take)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.channels.Wait()
	if got := program.got.String(); got != "one two \x03three" || i.bytes.Load() != int64(len(got)) {
		t.Errorf("the program got %q, %d bytes", got, i.bytes.Load())
	}
}

// A chunk that waits for a program that never comes ends with its channel.
func TestWhatWasTypedAheadOfAProgramThatNeverComesIsForgotten(t *testing.T) {
	t.Parallel()
	keys, client := io.Pipe()
	c := &connection{engine: New(Options{}), end: func(error) {}}
	c.channels.caught = c.caught
	i := newInput(&sessionChannel{connection: c, client: typing{PipeReader: keys}})
	i.watch(func() {})
	for range maxTyped / 1024 {
		if _, err := client.Write(make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Write([]byte("too much")); err != nil {
		t.Fatal(err)
	}
	i.stop()
	_ = client.CloseWithError(errors.New("closed"))
	c.channels.Wait()
}
