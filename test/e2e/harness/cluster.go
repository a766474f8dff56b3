// Package harness is what end-to-end tests and benchmarks stand on: a cluster with
// Sallyport on it, people with client certificates, a PostgreSQL with orders, and
// the real kubectl and psql.
package harness

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Patience bounds every wait for something that ought to happen soon.
const Patience = 60 * time.Second

// Soon bounds what must wait for no timeout and no keepalive. It measures nothing: a
// machine that is busy with other tests takes its time, and benchmarks tell the rest.
const Soon = 5 * time.Second

// Cluster is the cluster that hack/e2e.sh gave by its environment.
type Cluster struct {
	// Admin reads and writes as the cluster's administrator, without a cache.
	Admin client.Client
	// Postgres is the target, as its own administrator sees it.
	Postgres *Postgres
	// Administrator is the same person, with kubectl.
	Administrator *User

	env map[string]string

	mu    sync.Mutex
	users map[string]string
}

// Names of the environment; hack/cluster/README.md says what each is.
const (
	envKubeconfig     = "KUBECONFIG"
	envBin            = "SALLYPORT_BIN"
	envClusterCommand = "SALLYPORT_CLUSTER_COMMAND"
	envClusterName    = "SALLYPORT_CLUSTER"
	envAssets         = "KUBEBUILDER_ASSETS"
)

var needed = []string{
	envKubeconfig, envBin, envClusterCommand, envClusterName, envAssets,
	"PG_HOST", "PG_NAME", "PG_PORT", "PG_FORWARD_HOST", "PG_FORWARD_PORT", "PG_USER", "PG_PASSWORD", "PG_CA_FILE",
}

var open = sync.OnceValues(connect)

// Open connects to the cluster, once for all tests. Without the environment the test
// fails, or is skipped with SALLYPORT_ALLOW_MISSING=1.
func Open(t testing.TB) *Cluster {
	t.Helper()
	var missing []string
	for _, name := range needed {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		message := "this test needs a cluster with Sallyport on it: run make test-e2e (not set: " + strings.Join(missing, ", ") + ")"
		if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
			t.Skip(message)
		}
		t.Fatal(message)
	}
	cluster, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func connect() (*Cluster, error) {
	c := &Cluster{env: map[string]string{}, users: map[string]string{}}
	for _, name := range needed {
		c.env[name] = os.Getenv(name)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.env[envKubeconfig])
	if err != nil {
		return nil, fmt.Errorf("KUBECONFIG: %w", err)
	}
	config.QPS = -1
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		return nil, err
	}
	if c.Admin, err = client.New(config, client.Options{Scheme: scheme.Scheme}); err != nil {
		return nil, err
	}
	c.Administrator = &User{Name: "the administrator", cluster: c, kubeconfig: c.env[envKubeconfig], home: os.TempDir()}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if c.Postgres, err = openPostgres(ctx, c.env); err != nil {
		return nil, err
	}
	return c, nil
}

// Get reads an object, which must be there.
func Get[T client.Object](t testing.TB, c *Cluster, object T) T {
	t.Helper()
	if err := c.Admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// Pods lists the pods of a namespace with these labels.
func (c *Cluster) Pods(t testing.TB, namespace string, labels client.MatchingLabels) []corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	if err := c.Admin.List(t.Context(), list, client.InNamespace(namespace), labels); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// Eventually waits until done says yes; what names the wait, and state is what was
// seen last, if it never came.
func Eventually(t testing.TB, patience time.Duration, what string, done func() (yes bool, state string)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		yes, state := done()
		if yes {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v; last: %s", what, patience, state)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s: interrupted; last: %s", what, state)
		case <-time.After(40 * time.Millisecond):
		}
	}
}
