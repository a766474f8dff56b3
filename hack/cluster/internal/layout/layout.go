// Package layout names things: a cluster's folder, the files in it, and the
// addresses inside. Every cluster has its own network namespace, so all of them
// use the same addresses and never meet.
package layout

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Addresses inside a cluster's network namespace.
const (
	NodeIP      = "10.90.0.1"
	APIAddress  = NodeIP + ":6443"
	PodCIDR     = "10.244.0.0/24"
	ServiceCIDR = "10.96.0.0/16"
	// ServiceIP is what the API server gives the Service default/kubernetes.
	ServiceIP = "10.96.0.1"
	// PostgresIP, SpareTargetIP and SSHIP stand for machines outside of the cluster: a
	// NetworkPolicy can allow one without allowing the API server.
	PostgresIP      = "10.91.0.10"
	SpareTargetIP   = "10.91.0.11"
	SSHIP           = "10.91.0.12"
	PostgresAddress = PostgresIP + ":5432"
	SSHAddress      = SSHIP + ":22"
)

// Names that the cluster's DNS server knows beside those of Services.
const (
	Domain          = "cluster.local"
	PostgresName    = "postgres.targets.test"
	SpareTargetName = "spare.targets.test"
	SSHName         = "ssh.targets.test"
)

// Paths that hold inside a cluster's mount namespace only.
const (
	AssetsInside      = "/run/sallyport/bin"
	ContainerdSocket  = "/run/containerd/containerd.sock"
	VolumesInside     = "/var/lib/volumes"
	PostgresInside    = "/var/lib/postgresql"
	PauseImage        = "sallyport.local/pause:dev"
	PolicyPlugin      = "sallyport-policy"
	ContainerdSpace   = "k8s.io"
	RecordingsVolume  = "sallyport-recordings"
	RecordingsStorage = "1Gi"
)

// Cluster is one development cluster: a name, and the folder with all it has.
type Cluster struct {
	Name string
	Dir  string
}

// A name becomes part of a cgroup's and a node's name.
var validName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)

// New returns the cluster of that name, whether it exists or not.
func New(name string) (Cluster, error) {
	if !validName.MatchString(name) {
		return Cluster{}, fmt.Errorf("cluster name %q: want at most 20 of a-z, 0-9 and -, starting with a letter", name)
	}
	return Cluster{Name: name, Dir: filepath.Join(Root(), name)}, nil
}

// Root is the folder that holds every cluster's folder.
func Root() string {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		base = "/var/lib"
	}
	return filepath.Join(base, "sallyport")
}

// Path joins a path below the cluster's folder. It is the same path on the host
// and inside the cluster.
func (c Cluster) Path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// Node is the name of the only node.
func (c Cluster) Node() string { return c.Name + "-node" }

// Cgroup is the name of the cluster's group in every cgroup hierarchy.
func (c Cluster) Cgroup() string { return "sallyport-" + c.Name }

// Log is the log of one of the cluster's processes.
func (c Cluster) Log(process string) string { return c.Path("logs", process+".log") }

// Kubeconfig is the administrator's, for use on the host.
func (c Cluster) Kubeconfig() string { return c.Path("admin.kubeconfig") }

// InsideKubeconfig is the administrator's, for commands run by "cluster exec".
func (c Cluster) InsideKubeconfig() string { return c.Path("config", "admin.kubeconfig") }

// Socket is where the cluster's first process takes orders.
func (c Cluster) Socket() string { return c.Path("supervisor.sock") }

// PolicySocket is where the CNI plugin tells the enforcer about a new pod.
func (c Cluster) PolicySocket() string { return c.Path("policy.sock") }

// VarLib and VarLog are the cluster's own /var/lib and /var/log.
func (c Cluster) VarLib() string { return c.Path("var-lib") }

// VarLog is the folder that stands at /var/log inside.
func (c Cluster) VarLog() string { return c.Path("var-log") }

// Volume is the host's view of a volume's folder.
func (c Cluster) Volume(name string) string { return filepath.Join(c.VarLib(), "volumes", name) }

// CNIConfig and CNIBin are what containerd reads.
func (c Cluster) CNIConfig() string { return c.Path("cni", "net.d") }

// CNIBin holds links to the plugins in use.
func (c Cluster) CNIBin() string { return c.Path("cni", "bin") }
