package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/process"
)

// SelfVerb is the hidden verb that makes this program process 1 of a cluster.
const SelfVerb = "inside"

// doorsLeadTo are addresses inside, in the order of the doors' descriptors.
var doorsLeadTo = []string{layout.APIAddress, layout.PostgresAddress, layout.SSHAddress}

// Doors are the ports on the host's loopback by which the cluster is reached.
type Doors struct {
	files []*os.File
	// Ports has the port of each address inside.
	Ports map[string]int
}

// OpenDoors listens on free ports.
func OpenDoors() (Doors, error) {
	d := Doors{Ports: map[string]int{}}
	for _, address := range doorsLeadTo {
		file, port, err := listen()
		if err != nil {
			d.Close()
			return Doors{}, err
		}
		d.files, d.Ports[address] = append(d.files, file), port
	}
	return d, nil
}

// Close closes this process's hold on the doors.
func (d Doors) Close() {
	for _, file := range d.files {
		_ = file.Close()
	}
}

// Spawn starts process 1 of new namespaces and waits until they are ready.
// It outlives this command and holds none of its open files.
func Spawn(ctx context.Context, c layout.Cluster, assets string, doors Doors) (layout.Record, error) {
	log, err := os.OpenFile(c.Log("supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return layout.Record{}, err
	}
	defer func() { _ = log.Close() }()
	readyReader, readyWriter, err := os.Pipe()
	if err != nil {
		return layout.Record{}, err
	}
	defer func() { _ = readyReader.Close() }()

	// Not bound to ctx: the process is to stay.
	command := exec.Command("/proc/self/exe", SelfVerb, "--name", c.Name, "--assets", assets)
	command.Args[0] = "sallyport-" + c.Name
	command.Dir = "/"
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = append([]*os.File{readyWriter}, doors.files...)
	command.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	err = command.Start()
	_ = readyWriter.Close()
	if err != nil {
		return layout.Record{}, fmt.Errorf("make namespaces: %w", err)
	}
	identity, err := process.Identify(command.Process.Pid)
	if err != nil {
		return layout.Record{}, err
	}
	record := layout.Record{Supervisor: identity, Ports: doors.Ports, Assets: assets}
	// Written before the wait, so that whatever goes wrong next, "down" finds the process.
	if err := c.Save(record); err != nil {
		return layout.Record{}, errors.Join(err, identity.Kill(ctx))
	}
	if err := enterCgroups(c, identity.PID); err != nil {
		return record, err
	}
	return record, awaitReady(readyReader, c)
}

func awaitReady(pipe *os.File, c layout.Cluster) error {
	if err := pipe.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	word, err := io.ReadAll(io.LimitReader(pipe, 4096))
	if err == nil && string(word) != readyWord {
		err = errors.New(string(word))
	}
	if err != nil {
		return fmt.Errorf("the cluster's namespaces: %w; read %s", err, c.Log("supervisor"))
	}
	return nil
}

// listen opens a free port on the host's loopback.
func listen() (*os.File, int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = listener.Close() }()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, 0, err
	}
	return file, listener.Addr().(*net.TCPAddr).Port, nil
}
