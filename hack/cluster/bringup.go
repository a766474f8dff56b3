package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sallyport/sallyport/hack/cluster/internal/component"
	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// bringUp starts the cluster's processes in order, each once, and waits for each.
// On a running cluster all of it is a look.
type bringUp struct {
	cluster    layout.Cluster
	record     layout.Record
	supervisor *supervise.Client
	client     kubernetes.Interface
	say        progress
}

func (b *bringUp) all(ctx context.Context) error {
	c := b.cluster
	containerd, err := component.Containerd(c)
	if err != nil {
		return err
	}
	if b.client, err = newClient(c); err != nil {
		return err
	}
	for _, step := range []struct {
		what  string
		spec  supervise.Spec
		ready func(context.Context) error
	}{
		{"etcd", component.Etcd(c), nil},
		{"containerd", containerd, b.containerdAnswers},
		{"kube-apiserver", component.APIServer(c), b.apiServerIsReady},
		{"kube-controller-manager", component.ControllerManager(c), nil},
		{"kube-scheduler", component.Scheduler(c), nil},
		{"NetworkPolicy enforcer", component.Policy(c), b.policyListens},
		{"cluster DNS", component.DNS(c), nil},
		{"kubelet", component.Kubelet(c), b.nodeIsReady},
		{"kube-proxy", component.Proxy(c), b.proxyIsHealthy},
		// Started long ago; without the account no pod can be made.
		{"kube-controller-manager", component.ControllerManager(c), b.defaultAccountExists},
	} {
		if err := b.start(ctx, step.what, step.spec, step.ready); err != nil {
			return err
		}
		if step.what == "containerd" {
			if err := b.pauseImage(ctx); err != nil {
				return err
			}
		}
	}
	return b.recordings(ctx)
}

// start starts a process, unless it runs, and waits until it is of use.
func (b *bringUp) start(ctx context.Context, what string, spec supervise.Spec, ready func(context.Context) error) error {
	before, found, err := b.supervisor.Find(ctx, spec.Name)
	if err != nil {
		return fmt.Errorf("%w; read %s", err, b.cluster.Log("supervisor"))
	}
	if !found || before.State != supervise.Running {
		b.say("starting %s", what)
		if _, err := b.supervisor.Start(ctx, spec); err != nil {
			return err
		}
	}
	if ready == nil {
		return nil
	}
	hasEnded := func(ctx context.Context) error {
		now, _, err := b.supervisor.Find(ctx, spec.Name)
		if err == nil && now.State == supervise.Exited {
			return fmt.Errorf("it ended: %s", now.End)
		}
		return err
	}
	if err := until(ctx, time.Minute, ready, hasEnded); err != nil {
		return fmt.Errorf("%s: %w; read %s", what, err, spec.Log)
	}
	return nil
}

// containerdAnswers looks through process 1's root: the socket is on the cluster's own /run.
func (b *bringUp) containerdAnswers(ctx context.Context) error {
	root := filepath.Join("/proc", strconv.Itoa(b.record.Supervisor.PID), "root")
	return dialUnix(ctx, filepath.Join(root, layout.ContainerdSocket))
}

func (b *bringUp) policyListens(ctx context.Context) error {
	return dialUnix(ctx, b.cluster.PolicySocket())
}

func (b *bringUp) apiServerIsReady(ctx context.Context) error {
	return b.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

func (b *bringUp) defaultAccountExists(ctx context.Context) error {
	_, err := b.client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

func (b *bringUp) nodeIsReady(ctx context.Context) error {
	node, err := b.client.CoreV1().Nodes().Get(ctx, b.cluster.Node(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return errors.New("the node is not ready")
}

func (b *bringUp) proxyIsHealthy(ctx context.Context) error {
	var code int
	err := b.client.CoreV1().RESTClient().Get().Resource("nodes").
		Name(b.cluster.Node() + ":" + component.ProxyHealthPort).SubResource("proxy").Suffix("healthz").
		Do(ctx).StatusCode(&code).Error()
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("healthz answers %d", code)
	}
	return err
}

// pauseImage imports the image that every pod's sandbox runs. The program lies
// beside this one.
func (b *bringUp) pauseImage(ctx context.Context) error {
	if has, err := hasImage(ctx, b.record, layout.PauseImage); err != nil || has {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b.say("importing the pause image")
	return importPause(ctx, b.cluster, b.record, filepath.Join(filepath.Dir(self), "pause"))
}

func (b *bringUp) recordings(ctx context.Context) error {
	has, err := hasVolume(ctx, b.client, layout.RecordingsVolume)
	if err != nil || has {
		return err
	}
	b.say("making the volume %s", layout.RecordingsVolume)
	return makeVolume(ctx, b.client, b.cluster, layout.RecordingsVolume, layout.RecordingsStorage)
}

func dialUnix(ctx context.Context, path string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	return conn.Close()
}
