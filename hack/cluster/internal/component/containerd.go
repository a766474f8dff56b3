package component

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// Containerd runs containers, with everything it writes below the cluster's folder.
func Containerd(c layout.Cluster) (supervise.Spec, error) {
	binary, err := exec.LookPath("containerd")
	if err != nil {
		return supervise.Spec{}, errors.New("containerd is not installed; run hack/setup.sh")
	}
	return spec(c, "containerd", binary, "--config="+c.Path("config", "containerd.toml")), nil
}

// Snapshotter is how containerd stacks layers: overlayfs does not stack on itself.
func Snapshotter(c layout.Cluster) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(c.Dir, &fs); err != nil {
		return "", err
	}
	if fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}

// restrict_oom_score_adj: without CAP_SYS_RESOURCE runc dies with "can't get
// final child's PID" when it lowers the score of the pause container.
var containerdTOML = template.Must(template.New("containerd").Parse(`version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{{.Socket}}"

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{{.PauseImage}}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{{.Snapshotter}}"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{{.CNIBin}}"
  conf_dir = "{{.CNIConfig}}"
`))

// WriteContainerdConfig writes containerd's configuration and the pods' network.
func WriteContainerdConfig(c layout.Cluster) error {
	snapshotter, err := Snapshotter(c)
	if err != nil {
		return err
	}
	file, err := os.Create(c.Path("config", "containerd.toml"))
	if err != nil {
		return err
	}
	err = containerdTOML.Execute(file, map[string]string{
		"Socket": layout.ContainerdSocket, "PauseImage": layout.PauseImage,
		"Snapshotter": snapshotter, "CNIBin": c.CNIBin(), "CNIConfig": c.CNIConfig(),
	})
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := linkPlugins(c); err != nil {
		return err
	}
	return writeJSON(filepath.Join(c.CNIConfig(), "10-pods.conflist"), podNetwork())
}

// podNetwork gives each pod a routed pair of interfaces and no bridge, so that all
// of its traffic passes the node's forward or input hook, where policies are held.
func podNetwork() object {
	return object{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []object{
			{"type": "ptp", "ipam": object{
				"type":    "host-local",
				"ranges":  [][]object{{{"subnet": layout.PodCIDR}}},
				"routes":  []object{{"dst": "0.0.0.0/0"}},
				"dataDir": "/run/cni/networks",
			}},
			{"type": layout.PolicyPlugin},
		},
	}
}

// linkPlugins collects the plugins in use in one folder: containerd reads only one.
func linkPlugins(c layout.Cluster) error {
	for _, name := range []string{"ptp", "host-local", "loopback"} {
		found, err := findPlugin(name)
		if err != nil {
			return err
		}
		if err := os.Symlink(found, filepath.Join(c.CNIBin(), name)); err != nil {
			return err
		}
	}
	return os.Symlink(c.Path("bin", "cluster"), filepath.Join(c.CNIBin(), layout.PolicyPlugin))
}

func findPlugin(name string) (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if path := filepath.Join(dir, name); isExecutable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("the CNI plugin %s is not installed; run hack/setup.sh", name)
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
