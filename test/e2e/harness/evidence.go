package harness

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// RecordingKeys is a file with the public keys that recordings are signed with, as the
// operator's owners publish them.
func (c *Cluster) RecordingKeys(t testing.TB) string {
	t.Helper()
	keys := c.Administrator.Kubectl(t, "get", "configmap", "sallyport-recording-keys", "-n", v1alpha1.ProxyNamespace,
		"-o", `go-template={{range $name, $key := .data}}{{$key}}{{end}}`)
	path := filepath.Join(t.TempDir(), "recording-key.pem")
	if err := os.WriteFile(path, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Evidence is the bundle of a task that alice makes.
func (k *Task) Evidence(t testing.TB) string {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "bundle.tar")
	k.Domain.Alice.Kubectl(t, "access", "evidence", k.Name, "-n", k.Domain.Namespace, "-o", bundle)
	return bundle
}

// Elsewhere runs kubectl-access on another machine: one without a network, a kubeconfig,
// or anything else of this one's environment.
func (c *Cluster) Elsewhere(t testing.TB, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandPatience)
	defer cancel()
	command := exec.CommandContext(ctx, "unshare", append([]string{"--net", c.env[envBin] + "/kubectl-access"}, args...)...)
	command.Env = []string{"HOME=" + t.TempDir(), "KUBECONFIG=/dev/null", "LC_ALL=C.UTF-8"}
	var out, failure bytes.Buffer
	command.Stdout, command.Stderr = &out, &failure
	err := command.Run()
	exit := &exec.ExitError{}
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("kubectl-access: %v", err)
	}
	return Result{Out: out.String(), Err: failure.String(), Code: command.ProcessState.ExitCode()}
}

// Entries are the names of a bundle's files that end so.
func Entries(t testing.TB, bundle, suffix string) (names []string) {
	t.Helper()
	walk(t, bundle, func(header *tar.Header, _ []byte) {
		if strings.HasSuffix(header.Name, suffix) {
			names = append(names, header.Name)
		}
	})
	return names
}

// Tampered is a copy of a bundle in which one bit in the middle of a file is another. If
// it is to be thorough, the manifest's SHA-256 of that file is made to fit.
func Tampered(t testing.TB, bundle, name string, thorough bool) string {
	t.Helper()
	var before, after string
	walk(t, bundle, func(header *tar.Header, content []byte) {
		if header.Name == name {
			before = fmt.Sprintf("%x", sha256.Sum256(content))
			content[len(content)/2] ^= 1
			after = fmt.Sprintf("%x", sha256.Sum256(content))
		}
	})
	var forged bytes.Buffer
	w := tar.NewWriter(&forged)
	walk(t, bundle, func(header *tar.Header, content []byte) {
		switch {
		case header.Name == name:
			content[len(content)/2] ^= 1
		case header.Name == "manifest.json" && thorough:
			content = bytes.ReplaceAll(content, []byte(before), []byte(after))
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	})
	path := filepath.Join(t.TempDir(), "forged.tar")
	if err := errors.Join(w.Close(), os.WriteFile(path, forged.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func walk(t testing.TB, bundle string, see func(*tar.Header, []byte)) {
	t.Helper()
	content, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		see(header, content)
	}
}
