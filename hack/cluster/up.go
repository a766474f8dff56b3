package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/hack/cluster/internal/component"
	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/pki"
	"github.com/sallyport/sallyport/hack/cluster/internal/sandbox"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// upTimeout bounds all of "up"; a machine that does nothing else needs 20 seconds.
const upTimeout = 5 * time.Minute

func up(ctx context.Context, c layout.Cluster, _ []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, upTimeout, fmt.Errorf("not up after %s", upTimeout))
	defer cancel()
	say := newProgress()
	unlock, err := c.Lock(ctx)
	if err != nil {
		return err
	}
	record, found, err := c.Load()
	fresh := err != nil || !found || !record.Supervisor.Alive()
	if fresh {
		// The lock is on the folder, and the folder goes.
		unlock()
		if unlock, record, err = create(ctx, c, say, found || err != nil); err != nil {
			return err
		}
	}
	defer unlock()

	b := bringUp{cluster: c, record: record, supervisor: supervise.NewClient(c.Socket()), say: say}
	if err := b.all(ctx); err != nil {
		return err
	}
	if err := writeEnv(c, record); err != nil {
		return err
	}
	if fresh {
		say("cluster %q is up; export KUBECONFIG=%s", c.Name, c.Kubeconfig())
	} else {
		say("cluster %q was running already", c.Name)
	}
	return nil
}

// create makes the cluster's folder and namespaces, over the remains of an older one.
func create(ctx context.Context, c layout.Cluster, say progress, remains bool) (func(), layout.Record, error) {
	assets, err := checkTools()
	if err != nil {
		return nil, layout.Record{}, err
	}
	if remains {
		say("removing what is left of an earlier %q", c.Name)
	}
	if err := sandbox.Remove(ctx, c); err != nil {
		return nil, layout.Record{}, err
	}
	unlock, err := c.Lock(ctx)
	if err != nil {
		return nil, layout.Record{}, err
	}
	record, err := furnish(ctx, c, assets, say)
	if err != nil {
		unlock()
	}
	return unlock, record, err
}

func furnish(ctx context.Context, c layout.Cluster, assets string, say progress) (layout.Record, error) {
	for _, dir := range []string{"logs", "pki", "config", "users", "bin", "cni/bin", "cni/net.d", "var-lib", "var-log"} {
		if err := os.MkdirAll(c.Path(dir), 0o755); err != nil {
			return layout.Record{}, err
		}
	}
	// The program may be gone tomorrow, as after "go run"; the CNI plugin must not be.
	if err := copyFile("/proc/self/exe", c.Path("bin", "cluster")); err != nil {
		return layout.Record{}, err
	}
	doors, err := sandbox.OpenDoors()
	if err != nil {
		return layout.Record{}, err
	}
	defer doors.Close()
	say("writing certificates and configuration")
	if err := pki.Make(c, fmt.Sprintf("https://127.0.0.1:%d", doors.Ports[layout.APIAddress])); err != nil {
		return layout.Record{}, err
	}
	if err := component.WriteNodeConfig(c); err != nil {
		return layout.Record{}, err
	}
	if err := component.WriteContainerdConfig(c); err != nil {
		return layout.Record{}, err
	}
	// Last, so that a cluster whose first process runs has all its files.
	say("making namespaces")
	if err := sandbox.MakeCgroups(c); err != nil {
		return layout.Record{}, err
	}
	return sandbox.Spawn(ctx, c, assets, doors)
}

// checkTools names everything that is missing at once.
func checkTools() (assets string, err error) {
	assets = os.Getenv("SALLYPORT_ASSETS")
	if assets == "" {
		return "", errors.New("SALLYPORT_ASSETS is not set: start me by hack/cluster/cluster.sh, which builds the control plane")
	}
	var missing []error
	for _, name := range []string{"containerd", "ctr", "runc", "nft", "ip", "nsenter", "mount"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, err)
		}
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"} {
		if _, err := exec.LookPath(filepath.Join(assets, name)); err != nil {
			missing = append(missing, err)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("run hack/setup.sh and hack/controlplane/build.sh: %w", errors.Join(missing...))
	}
	return assets, nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
