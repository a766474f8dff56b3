// Package servertest has what the packages that start servers for tests share: throwaway
// processes on free ports of 127.0.0.1, which leave nothing behind.
package servertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a server that a test may stop and start again. Its methods are safe for
// concurrent use.
type Process struct {
	// Name is the server's in errors.
	Name string
	// LogFile gets what it prints.
	LogFile string
	// Command makes the process, and puts it in a group or session of its own.
	Command func() *exec.Cmd
	// Ready says whether the server serves, of which this is the log since its start.
	Ready func(log string) bool
	// Goodbyes ask it to end, one after the other; at last, or without any, it is killed.
	Goodbyes []syscall.Signal

	mu    sync.Mutex
	child *child
}

// child is a running process with one goroutine that owns it.
type child struct {
	cmd  *exec.Cmd
	done chan struct{}
}

const (
	startPatience = 60 * time.Second
	stopPatience  = 15 * time.Second
)

// Start starts a stopped server, and waits until it is ready.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child != nil {
		return nil
	}
	before := len(p.Log())
	c, err := p.launch()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	if err := p.await(c, before); err != nil {
		p.end(c)
		return fmt.Errorf("start %s: %w; its log:\n%s", p.Name, err, tail(p.Log()))
	}
	p.child = c
	return nil
}

// Stop ends the server, and waits for its end.
func (p *Process) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child != nil {
		p.end(p.child)
		p.child = nil
	}
}

// Restart is Stop and Start.
func (p *Process) Restart() error {
	p.Stop()
	return p.Start()
}

// Log is what the server has printed so far.
func (p *Process) Log() string {
	content, _ := os.ReadFile(p.LogFile)
	return string(content)
}

// launch runs the command. The child dies with its parent thread, so the goroutine keeps
// its thread: a test that panics leaves no server behind.
func (p *Process) launch() (*child, error) {
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: p.Command(), done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if len(p.Goodbyes) > 0 {
		// What it has started itself may need to be told.
		c.cmd.SysProcAttr.Pdeathsig = p.Goodbyes[len(p.Goodbyes)-1]
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer close(c.done)
		defer func() { _ = log.Close() }()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait()
		}
	}()
	return c, <-started
}

func (p *Process) await(c *child, before int) error {
	late := time.NewTimer(startPatience)
	defer late.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !p.Ready(p.Log()[before:]) {
		select {
		case <-c.done:
			return errors.New("it ended at once")
		case <-late.C:
			return fmt.Errorf("it is not ready after %v", startPatience)
		case <-tick.C:
		}
	}
	return nil
}

func (p *Process) end(c *child) {
	for _, signal := range p.Goodbyes {
		_ = c.cmd.Process.Signal(signal)
		select {
		case <-c.done:
			return
		case <-time.After(stopPatience):
		}
	}
	_ = c.cmd.Process.Kill()
	<-c.done
}
