// Package apitest gives tests a real API server with the kinds of this group: one
// for all tests of a package, each in a namespace of its own.
package apitest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Server is a running API server. Config and Client act as its administrator.
type Server struct {
	Config *rest.Config
	Client client.Client
	Scheme *kruntime.Scheme
	// Assets is the folder with kube-apiserver, etcd and kubectl.
	Assets string

	environment *envtest.Environment
}

var (
	mutex  sync.Mutex
	shared *Server
)

// Main runs a package's tests and stops the server that they shared. A TestMain
// hands its exit code to os.Exit.
func Main(m *testing.M) int {
	code := m.Run()
	if shared != nil {
		if err := shared.environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
			return 1
		}
	}
	return code
}

// Start returns the package's API server.
func Start(t testing.TB) *Server {
	t.Helper()
	mutex.Lock()
	defer mutex.Unlock()
	if shared != nil {
		return shared
	}
	server, err := start(Assets(t))
	if err != nil {
		t.Fatalf("start an API server: %v", err)
	}
	shared = server
	return shared
}

func start(assets string) (*Server, error) {
	scheme := kruntime.NewScheme()
	for _, add := range []func(*kruntime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{Root("config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		Scheme:                scheme,
	}
	config, err := environment.Start()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = -1, 0
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return &Server{Config: config, Client: admin, Scheme: scheme, Assets: assets, environment: environment}, nil
}

// User returns the configuration of a person with a client certificate.
func (s *Server) User(t testing.TB, name string, groups ...string) *rest.Config {
	t.Helper()
	user, err := s.environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		t.Fatalf("add user %s: %v", name, err)
	}
	return user.Config()
}

// Namespace makes a namespace.
func (s *Server) Namespace(ctx context.Context, t testing.TB) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := s.Client.Create(ctx, namespace); err != nil {
		t.Fatalf("make a namespace: %v", err)
	}
	return namespace.Name
}

// Root is a path in the repository.
func Root(elements ...string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(here), "..", ".."}, elements...)...)
}

// Assets is the folder with etcd, kube-apiserver and kubectl, for a test that needs an
// API server of its own.
func Assets(t testing.TB) string {
	t.Helper()
	candidates := []string{os.Getenv("KUBEBUILDER_ASSETS")}
	if cache, err := os.UserCacheDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(cache, "sallyport", "controlplane", "v*"))
		candidates = append(candidates, found...)
	}
	for _, folder := range candidates {
		if _, err := os.Stat(filepath.Join(folder, "kube-apiserver")); folder != "" && err == nil {
			return folder
		}
	}
	message := "no kube-apiserver: run hack/controlplane/build.sh, or set KUBEBUILDER_ASSETS; looked in " + strings.Join(candidates, ", ")
	if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
		t.Skip(message)
	}
	t.Fatal(message)
	return ""
}
