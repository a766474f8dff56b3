package ssh

import (
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// drainWithin is how long a program has to end by itself once its client has closed
	// the channel, and with it the program's input.
	drainWithin = 250 * time.Millisecond
	// leaveWithin is how long the target then has to close the channel, before the client
	// has its place back.
	leaveWithin = 500 * time.Millisecond
	// maxLingering bounds the programs of a connection whose clients have gone and whose
	// targets have not: OpenSSH keeps a channel until the command has closed its stderr.
	maxLingering = 16
	// hangUpWithin bounds how long the target has to take its programs' signals.
	hangUpWithin = 250 * time.Millisecond
)

// kill signals a command, and closes its channel. Closing alone does not end a command
// that has no terminal.
func (r *run) kill(signal string) {
	select {
	case <-r.tagged:
	default:
		_, _ = r.target.SendRequest("signal", false, ssh.Marshal(&signalRequest{signal}))
	}
	r.closeTarget()
}

// abandon ends the program of a client that has closed its channel.
func (r *run) abandon() {
	timer := time.NewTimer(drainWithin)
	defer timer.Stop()
	select {
	case <-r.tagged:
	case <-r.over:
	case <-r.ctx.Done():
	case <-timer.C:
	}
	r.kill("HUP")
}

// await returns when over is closed, or when it is no longer the client's to wait for:
// then its end is owned here, beside the client's places.
func (c *connection) await(over <-chan struct{}) {
	timer := time.NewTimer(leaveWithin)
	defer timer.Stop()
	select {
	case <-over:
		return
	case <-timer.C:
	}
	select {
	case <-over:
	case c.lingering <- struct{}{}:
		c.channels.Go(func() {
			<-over
			<-c.lingering
		})
	}
}

// hangUp tells the programs that still run that their client has left, or their task is
// over, as a terminal that is gone would: sshd tells those alone that have one.
func (c *connection) hangUp() {
	c.mu.Lock()
	runs := make([]*run, 0, len(c.runs))
	for r := range c.runs {
		runs = append(runs, r)
	}
	c.mu.Unlock()
	if len(runs) == 0 {
		return
	}
	told := make(chan struct{})
	c.channels.Go(func() {
		defer close(told)
		for _, r := range runs {
			r.kill("HUP")
		}
		// Who answers this has taken the signals: a connection that is closed before may
		// lose them.
		_, _, _ = c.up.Client.SendRequest(keepalive, true, nil)
	})
	timer := time.NewTimer(hangUpWithin)
	defer timer.Stop()
	select {
	case <-told:
	case <-timer.C:
	}
}

// noteRun notes a program that runs, until the returned function is called.
func (c *connection) noteRun(r *run) (ended func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs[r] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.runs, r)
	}
}
