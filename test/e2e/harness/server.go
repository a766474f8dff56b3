package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Names in every domain with an SSH server.
const (
	Web          = "web"
	DeployPolicy = "web-deploy"
	// TypeDeploy is the type of task that the policy serves.
	TypeDeploy = "deploy"
	// Login is the account that tasks get.
	Login = "deploy"
)

// Server is the SSH server beside the cluster, as its own administrator sees it.
type Server struct {
	// Name and Port hold inside the cluster.
	Name string
	Port int32
	// Address is where this machine reaches it.
	Address string
	// HostKey is `type base64`.
	HostKey string

	caKeys, revokedKeys, authorizedKeys, root, log string
}

// lists is held by who changes a list of keys of the server's.
var lists sync.Mutex

// Server is there when the environment has it.
func (c *Cluster) Server(t testing.TB) *Server {
	t.Helper()
	get := func(name string) string {
		value := os.Getenv(name)
		if value == "" {
			t.Fatalf("this test needs an SSH server beside the cluster: run make test-e2e, or hack/cluster/cluster.sh ssh (not set: %s)", name)
		}
		return value
	}
	port, err := strconv.Atoi(get("SSH_PORT"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(get("SSH_HOST_KEY_FILE"))
	if err != nil {
		t.Fatal(err)
	}
	return &Server{
		Name: get("SSH_NAME"), Port: int32(port), Address: get("SSH_FORWARD_HOST") + ":" + get("SSH_FORWARD_PORT"),
		HostKey: strings.Join(strings.Fields(string(key))[:2], " "),
		caKeys:  get("SSH_CA_KEYS_FILE"), revokedKeys: get("SSH_REVOKED_KEYS_FILE"), authorizedKeys: get("SSH_AUTHORIZED_KEYS"), root: get("SSH_ROOT"), log: get("SSH_LOG"),
	}
}

// Trust has the server take an authority's certificates, until the end of the test.
func (s *Server) Trust(t testing.TB, authority string) {
	t.Helper()
	s.list(t, s.caKeys, authority)
}

// list has a line in a list of keys, until the end of the test.
func (s *Server) list(t testing.TB, path, key string) {
	t.Helper()
	line := []byte(strings.TrimSpace(key) + "\n")
	change := func(edit func(content []byte) []byte) {
		lists.Lock()
		defer lists.Unlock()
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
			return
		}
		replace(t, path, edit(content))
	}
	change(func(content []byte) []byte { return append(content, line...) })
	t.Cleanup(func() {
		change(func(content []byte) []byte { return bytes.Replace(content, line, nil, 1) })
	})
}

// replace writes a file in one step: sshd reads it at any time.
func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", content, 0o644)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Error(err)
	}
}

// Revoke replaces the server's list of revoked keys, until the end of the test.
func (s *Server) Revoke(t testing.TB, list []byte) {
	t.Helper()
	replace(t, s.revokedKeys, list)
	t.Cleanup(func() { replace(t, s.revokedKeys, nil) })
}

// Path is where this machine has a file of the server's /home or /srv.
func (s *Server) Path(path string) string { return filepath.Join(s.root, path) }

// Folder makes a folder of this test alone in the server's /srv, as its login's, and
// returns the server's path of it.
func (s *Server) Folder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp(s.Path("/srv"), "test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s.own(t, folder, 0o755)
	return "/srv/" + filepath.Base(folder)
}

// own gives a file to who owns the server's /srv.
func (s *Server) own(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(s.Path("/srv"))
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := errors.Join(os.Chown(path, int(owner.Uid), int(owner.Gid)), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// Write writes a file of the server's, as its login's.
func (s *Server) Write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(s.Path(path), content, 0o644); err != nil {
		t.Fatal(err)
	}
	s.own(t, s.Path(path), 0o644)
}

// Read reads a file of the server's.
func (s *Server) Read(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(s.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Log is what the server has logged so far.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// ServerDomain makes a domain, of this test alone, whose target is the SSH server, and
// waits until target and policy are ready.
func (c *Cluster) ServerDomain(t testing.TB, change ...func(*v1alpha1.AccessPolicySpec)) (*Domain, *Server) {
	t.Helper()
	s := c.Server(t)
	d := c.settle(t, Web)
	// As an administrator would: the server trusts the authority first, then the platform
	// agrees that it is a target.
	c.create(t, &v1alpha1.AccessTarget{
		ObjectMeta: d.meta(Web),
		Spec: v1alpha1.AccessTargetSpec{SSH: &v1alpha1.SSHTarget{
			Host: s.Name, Port: s.Port, HostKeys: []string{s.HostKey}, Logins: []string{Login, "audit"}, CertificateSeconds: 30,
		}},
	})
	target := &v1alpha1.AccessTarget{ObjectMeta: d.meta(Web)}
	Eventually(t, Patience, "the authority of target "+Web, func() (bool, string) {
		if err := c.Admin.Get(t.Context(), client.ObjectKeyFromObject(target), target); err != nil {
			return false, err.Error()
		}
		return target.Status.CertificateAuthority != "", fmt.Sprintf("%+v", target.Status)
	})
	s.Trust(t, target.Status.CertificateAuthority)
	c.create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.TargetNamespace, Name: d.Namespace + "." + Web},
		StringData: map[string]string{"host": s.Name, "port": strconv.Itoa(int(s.Port)), "host-keys": s.HostKey},
	})
	policy := deployPolicy()
	for _, f := range change {
		f(&policy)
	}
	c.create(t, &v1alpha1.AccessPolicy{ObjectMeta: d.meta(DeployPolicy), Spec: policy})
	c.AwaitReady(t, target)
	c.AwaitReady(t, &v1alpha1.AccessPolicy{ObjectMeta: d.meta(DeployPolicy)})
	return d, s
}

// deployPolicy needs one yes of the database administrators, who are the only ones.
func deployPolicy() v1alpha1.AccessPolicySpec {
	policy := readPolicy()
	policy.TaskTypes, policy.Targets = []string{TypeDeploy}, []string{Web}
	policy.Grant = v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{Login}}}
	policy.Session.MaxConcurrent = 50
	return policy
}

// Commands are grants of command lines, by their words.
func Commands(lines ...string) []v1alpha1.CommandGrant {
	var grants []v1alpha1.CommandGrant
	for _, line := range lines {
		grants = append(grants, v1alpha1.CommandGrant{Argv: strings.Fields(line)})
	}
	return grants
}

// Stat looks at a file of the server's.
func (s *Server) Stat(path string) (os.FileInfo, error) { return os.Stat(s.Path(path)) }
