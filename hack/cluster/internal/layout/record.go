package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sallyport/sallyport/hack/cluster/internal/process"
)

// Record is what a later command must know about a running cluster.
type Record struct {
	// Supervisor is process 1 of the cluster's namespaces: they live and die with it.
	Supervisor process.Identity `json:"supervisor"`
	// Ports are the forwarders' on the host's loopback, by the address inside that
	// they lead to.
	Ports map[string]int `json:"ports"`
	// Assets is the folder of control-plane binaries in use.
	Assets string `json:"assets"`
}

func (c Cluster) recordPath() string { return c.Path("cluster.json") }

// Save writes the record in one step: a reader sees the old one or the new one.
func (c Cluster) Save(r Record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	temporary := c.recordPath() + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, c.recordPath())
}

// Load reads the record; found is false if the cluster was never started.
func (c Cluster) Load() (r Record, found bool, err error) {
	data, err := os.ReadFile(c.recordPath())
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, false, fmt.Errorf("%s: %w", c.recordPath(), err)
	}
	return r, true, nil
}

// Running returns the record of a cluster that must be running.
func (c Cluster) Running() (Record, error) {
	r, found, err := c.Load()
	if err != nil {
		return Record{}, err
	}
	if !found || !r.Supervisor.Alive() {
		return Record{}, fmt.Errorf("cluster %q is not running; start it with: cluster up --name %s", c.Name, c.Name)
	}
	return r, nil
}
