package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"
)

// patience is how long a process may take to end before it is killed.
const patience = 10 * time.Second

// table holds the processes that this supervisor has started.
type table struct {
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	spec   Spec
	status Status
	// gone is closed when the process has ended.
	gone chan struct{}
}

var errUnknown = errors.New("no such process")

// start starts the process, unless it runs already.
func (t *table) start(spec Spec) (Status, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[spec.Name]; e != nil && e.status.State == Running {
		return e.status, nil
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return Status{}, err
	}
	defer func() { _ = log.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return Status{}, err
	}
	defer func() { _ = null.Close() }()

	attr := &os.ProcAttr{Dir: "/", Env: append(os.Environ(), spec.Env...), Files: []*os.File{null, log, log}, Sys: &syscall.SysProcAttr{Setsid: true}}
	if spec.UID != 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: spec.UID, Gid: spec.GID}
	}
	p, err := os.StartProcess(spec.Args[0], spec.Args, attr)
	if err != nil {
		return Status{}, err
	}
	status := Status{Name: spec.Name, State: Running, PID: p.Pid, Log: spec.Log}
	t.entries[spec.Name] = &entry{spec: spec, status: status, gone: make(chan struct{})}
	// The reaper waits for every child; this handle has no more use.
	return status, p.Release()
}

// again starts a process as it was started before.
func (t *table) again(name string) (Status, error) {
	t.mu.Lock()
	e := t.entries[name]
	t.mu.Unlock()
	if e == nil {
		return Status{}, fmt.Errorf("%s: %w", name, errUnknown)
	}
	return t.start(e.spec)
}

// stop ends the process and waits until it is gone.
func (t *table) stop(ctx context.Context, name string) (Status, error) {
	t.mu.Lock()
	e := t.entries[name]
	if e == nil {
		t.mu.Unlock()
		return Status{}, fmt.Errorf("%s: %w", name, errUnknown)
	}
	if e.status.State != Running {
		defer t.mu.Unlock()
		return e.status, nil
	}
	e.status.State = Stopped
	stopSignal := e.spec.StopSignal
	if stopSignal == 0 {
		stopSignal = syscall.SIGTERM
	}
	// Signalled under the lock: the reaper has not yet given the number away.
	err := syscall.Kill(e.status.PID, stopSignal)
	t.mu.Unlock()
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return Status{}, err
	}

	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-e.gone:
	case <-timer.C:
		t.kill(e)
		<-e.gone
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return e.status, nil
}

func (t *table) kill(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.status.PID != 0 {
		_ = syscall.Kill(e.status.PID, syscall.SIGKILL)
	}
}

// list returns every process, by name.
func (t *table) list() []Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Status, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e.status)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// reap collects every child that has ended: those of the table, and the orphans
// that process 1 inherits. It returns when no ended child is left.
func (t *table) reap() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, e := range t.entries {
			if e.status.PID != pid {
				continue
			}
			if e.status.State == Running {
				e.status.State = Exited
			}
			e.status.PID = 0
			e.status.End = describe(status)
			close(e.gone)
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
