package manifest

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Ports of a proxy pod.
const (
	// PostgresPort and SSHPort are where a proxy listens for clients, on pod and service;
	// no proxy may bind what is below 1024.
	PostgresPort int32 = 5432
	SSHPort      int32 = 2222
	// HealthPort answers the kubelet's probes, and nothing else.
	HealthPort int32 = 8081
	// ControlPort is where the manager serves the control channel.
	ControlPort int32 = 8443
)

// Settings are the operator's, the same for every task.
type Settings struct {
	// Image of the proxy.
	Image string
	// Claim is the PersistentVolumeClaim of the recordings, in the proxies' namespace.
	Claim string
	// Quota is what one task may take of it, in bytes; 0 is no bound but the claim's.
	Quota int64
	// ControlAddress is the manager's host:port, without a name to resolve;
	// ControlServerName what its certificate says, ControlCA who vouches (PEM).
	ControlAddress, ControlServerName, ControlCA string
	// APIServerAddress is what the isolation probe tries to reach, host:port.
	APIServerAddress string
}

// Upstream is a task's target: what is spoken with it, and so with clients, and where a
// proxy may connect to, beside the manager and the store.
type Upstream struct {
	// Protocol is v1alpha1.ProtocolPostgres or v1alpha1.ProtocolSSH.
	Protocol  string
	Addresses []string
	Port      int32
}

// ListenPort is where a proxy listens for clients of a protocol.
func ListenPort(protocol string) int32 {
	if protocol == v1alpha1.ProtocolSSH {
		return SSHPort
	}
	return PostgresPort
}

// Store is where a task's recordings go: the zero value is the volume, which the pod
// mounts; a bucket is where the pod may connect to.
type Store struct {
	Egress []netip.Prefix
	Port   int32
}

func (s Store) isVolume() bool { return s.Port == 0 }

// spoolLimit bounds what waits in a pod to be stored: each session's open segment, and
// what a store that does not answer leaves queued.
var spoolLimit = resource.MustParse("512Mi")

func resources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("32Mi"),
		},
		// A 64 MiB message is held once for inspection and once for recording.
		Limits: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("2"),
			corev1.ResourceMemory: resource.MustParse("512Mi"),
		},
	}
}
