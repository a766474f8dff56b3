package audit_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/audit"
)

// TestTheComponentsGiveManagerAndReaderTheirSinks renders config/default with both
// components, as an installation's overlay does.
func TestTheComponentsGiveManagerAndReaderTheirSinks(t *testing.T) {
	t.Parallel()
	kubectl := filepath.Join(apitest.Assets(t), "kubectl")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(apitest.Root("config"))); err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(dir, "site")
	if err := os.Mkdir(site, 0o700); err != nil {
		t.Fatal(err)
	}
	overlay := "resources: [../default]\ncomponents: [../audit/stdout, ../audit/webhook]\n"
	if err := os.WriteFile(filepath.Join(site, "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	command := exec.Command(kubectl, "kustomize", site)
	command.Stderr = &stderr
	rendered, err := command.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize: %v: %s", err, &stderr)
	}
	objects, err := apitest.Objects(rendered)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		found++
		var deployment appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &deployment); err != nil {
			t.Fatal(err)
		}
		container := deployment.Spec.Template.Spec.Containers[0]
		got := slices.DeleteFunc(container.Args, func(arg string) bool { return !strings.HasPrefix(arg, "--audit-") })
		want := []string{
			"--audit-sink=stdout", "--audit-sink=webhook:$(AUDIT_WEBHOOK_URL)",
			"--audit-webhook-secret-file=/var/run/sallyport-audit/secret", "--audit-spool-dir=/var/lib/sallyport/audit",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", deployment.Name, diff)
		}
		var f audit.Flags
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		f.Bind(flags)
		if err := flags.Parse(got); err != nil {
			t.Errorf("%s has no such flag: %v", deployment.Name, err)
		}
		mounts := []string{}
		for _, mount := range container.VolumeMounts {
			mounts = append(mounts, mount.MountPath)
		}
		for _, path := range []string{"/var/run/sallyport-audit", "/var/lib/sallyport/audit"} {
			if !slices.Contains(mounts, path) {
				t.Errorf("%s mounts nothing at %s", deployment.Name, path)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d deployments, want the manager's and the reader's", found)
	}
}
