package layout

import (
	"fmt"

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

// Save writes the record.
func (c Cluster) Save(r Record) error { return WriteJSON(c.recordPath(), r, 0o644) }

// Load reads the record; found is false if the cluster was never started.
func (c Cluster) Load() (r Record, found bool, err error) { return ReadJSON[Record](c.recordPath()) }

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
