package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/audit"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// TestTheManagerTellsTheAuditStreamWithItsOwnRights runs the manager as installed,
// under its own name, and reads what it tells of a request that nothing serves.
func TestTheManagerTellsTheAuditStreamWithItsOwnRights(t *testing.T) {
	s := apitest.Start(t)
	ctx := t.Context()
	objects, err := s.Render("config", "default")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		// Without a reader behind it, it would only disturb discovery.
		if object.GetKind() == "APIService" {
			continue
		}
		if err := s.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test"), client.ForceOwnership); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	var o options
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	o.bind(flags)
	if err := flags.Parse([]string{
		"--proxy-image=proxy", "--leader-elect=false", "--control-listen=127.0.0.1:0", "--health-listen=127.0.0.1:0", "--audit-sink=file:" + file,
	}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", asManager(t, s))
	running, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- run(running, o) }()

	request := &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace(ctx, t), Name: "pay-1423"},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Task: v1alpha1.Task{ID: "PAY-1423", Type: "read"}, Target: "orders", Reason: "look at one order", DurationSeconds: 60,
		},
	}
	eventually := gomega.NewWithT(t)
	// The API server stamps the requester once it has taken note of the policy.
	eventually.Eventually(func() error { return s.Client.Create(ctx, request) }, 20*time.Second, 100*time.Millisecond).Should(gomega.Succeed())
	told := func() []audit.Type {
		select {
		case err := <-stopped:
			t.Fatalf("the manager stopped: %v", err)
		default:
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil
		}
		var types []audit.Type
		for line := range bytes.Lines(content) {
			var e struct {
				Type    audit.Type
				Subject string
			}
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if e.Subject == request.Namespace+"/"+request.Name {
				types = append(types, e.Type)
			}
		}
		return types
	}
	eventually.Eventually(told, 30*time.Second, 100*time.Millisecond).Should(gomega.Equal([]audit.Type{audit.RequestCreated, audit.RequestRefused}))
	if err := s.Client.Delete(ctx, request); err != nil {
		t.Fatal(err)
	}
	eventually.Eventually(told, 30*time.Second, 100*time.Millisecond).Should(gomega.ContainElements(audit.RequestEnded, audit.TeardownProved, audit.RequestDeleted))
	stop()
	if err := <-stopped; err != nil {
		t.Errorf("the manager: %v", err)
	}
}

// asManager is a kubeconfig of the manager's service account.
func asManager(t *testing.T, s *apitest.Server) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: s.Config.Host, CertificateAuthorityData: s.Config.CAData}
	config.AuthInfos["manager"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: s.Config.CertData, ClientKeyData: s.Config.KeyData,
		Impersonate: v1alpha1.ManagerUsername, ImpersonateGroups: []string{"system:serviceaccounts", "system:authenticated"},
	}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "manager"}
	config.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}
