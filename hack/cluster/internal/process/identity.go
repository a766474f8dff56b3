// Package process knows a process again: by its number, when it started, and in
// which boot. A number alone may belong to a stranger by now.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Identity is one process, for good.
type Identity struct {
	PID int `json:"pid"`
	// StartTicks is field 22 of /proc/PID/stat, in clock ticks since the boot.
	StartTicks uint64 `json:"startTicks"`
	BootID     string `json:"bootID"`
}

// Identify returns who runs under that number now.
func Identify(pid int) (Identity, error) {
	ticks, _, err := stat(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTicks: ticks, BootID: strings.TrimSpace(string(boot))}, nil
}

// Alive tells whether the process still runs. A zombie does not.
func (i Identity) Alive() bool {
	if i.PID <= 1 {
		return false
	}
	now, err := Identify(i.PID)
	if err != nil || now != i {
		return false
	}
	_, state, err := stat(i.PID)
	return err == nil && state != "Z" && state != "X"
}

// Kill ends the process with SIGKILL and waits until it is gone. It never
// signals another process that got the same number.
func (i Identity) Kill(ctx context.Context) error { return KillIf(ctx, i.PID, i.Alive) }

// KillIf ends the process of that number with SIGKILL, if it is the one that is
// meant, and waits until it is gone.
func KillIf(ctx context.Context, pid int, meant func() bool) error {
	if pid <= 1 {
		return nil
	}
	handle, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(handle) }()
	// The handle is of one process; only now is the question who it is safe to ask.
	if !meant() {
		return nil
	}
	if err := unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	for {
		// A handle becomes readable when its process ends.
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, int((100 * time.Millisecond).Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		if ready > 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("process %d does not end: %w", pid, context.Cause(ctx))
		}
	}
}

// stat reads the start time and the state letter of a process.
func stat(pid int) (ticks uint64, state string, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", err
	}
	// The command's name may hold spaces and brackets; the fields follow its last bracket.
	end := strings.LastIndexByte(string(data), ')')
	fields := strings.Fields(string(data[end+1:]))
	const stateField, startField = 0, 19
	if len(fields) <= startField {
		return 0, "", fmt.Errorf("process %d: short stat line", pid)
	}
	ticks, err = strconv.ParseUint(fields[startField], 10, 64)
	return ticks, fields[stateField], err
}
