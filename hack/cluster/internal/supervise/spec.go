// Package supervise is process 1 of a cluster's namespaces: it starts and stops
// the cluster's processes on order, and with its own end the kernel ends them all.
package supervise

import "syscall"

// Spec says how to start a process.
type Spec struct {
	Name string   `json:"name"`
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	// UID and GID are the account to run as; zero is root.
	UID uint32 `json:"uid,omitempty"`
	GID uint32 `json:"gid,omitempty"`
	// Log is the file that takes stdout and stderr.
	Log string `json:"log"`
	// StopSignal asks it to end; SIGTERM if zero.
	StopSignal syscall.Signal `json:"stopSignal,omitempty"`
}

// State is one word on a process.
type State string

const (
	Running State = "running"
	// Stopped ended because it was told to.
	Stopped State = "stopped"
	// Exited ended by itself: its log says why.
	Exited State = "exited"
)

// Status is what the supervisor knows about a process.
type Status struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// PID is its number inside the cluster.
	PID int `json:"pid,omitempty"`
	// End tells how it ended.
	End string `json:"end,omitempty"`
	Log string `json:"log"`
}
