package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// commandPatience bounds a command that ought to come back.
const commandPatience = 2 * time.Minute

// User is a person at a machine of their own: a kubeconfig, and a home where the
// plugins keep keys.
type User struct {
	Name string

	cluster    *Cluster
	kubeconfig string
	home       string
}

// User makes a person with a client certificate; RBAC alone decides what they may do.
func (c *Cluster) User(t testing.TB, name string, groups ...string) *User {
	t.Helper()
	args := []string{"user", "--name", c.env[envClusterName]}
	for _, group := range groups {
		args = append(args, "--group", group)
	}
	args = append(args, name)
	key := strings.Join(args, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users[key] == "" {
		path := strings.TrimSpace(c.clusterCommand(t, args...))
		// The command writes one file a name; another test may want other groups.
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c.users[key] = string(content)
	}
	return c.at(t, name, c.users[key])
}

// at seats somebody with this kubeconfig at a new machine.
func (c *Cluster) at(t testing.TB, name, kubeconfig string) *User {
	t.Helper()
	home := t.TempDir()
	path := home + "/kubeconfig"
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	return &User{Name: name, cluster: c, kubeconfig: path, home: home}
}

// clusterCommand runs a verb of the embedded cluster, and returns its output.
func (c *Cluster) clusterCommand(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandPatience)
	defer cancel()
	output, err := exec.CommandContext(ctx, c.env[envClusterCommand], args...).Output()
	if err != nil {
		exit := &exec.ExitError{}
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return string(output)
}

// Result is what a command said, and its exit code.
type Result struct {
	Out, Err string
	Code     int
}

func (r Result) String() string { return strings.TrimSpace(r.Out + r.Err) }

// Kubectl runs kubectl, which must succeed, and returns what it printed.
func (u *User) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return u.KubectlWith(t, "", args...)
}

// KubectlWith is Kubectl with this on standard input.
func (u *User) KubectlWith(t testing.TB, input string, args ...string) string {
	t.Helper()
	result := u.TryWith(t, input, args...)
	if result.Code != 0 {
		t.Fatalf("%s: kubectl %s: exit code %d: %s", u.Name, strings.Join(args, " "), result.Code, result)
	}
	return result.Out
}

// Try runs kubectl, which may fail.
func (u *User) Try(t testing.TB, args ...string) Result {
	t.Helper()
	return u.TryWith(t, "", args...)
}

// TryWith is Try with this on standard input.
func (u *User) TryWith(t testing.TB, input string, args ...string) Result {
	t.Helper()
	// A cleanup runs when the test's own context has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandPatience)
	defer cancel()
	var out, err bytes.Buffer
	command := u.command(ctx, args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &err
	failure := command.Run()
	exit := &exec.ExitError{}
	if failure != nil && !errors.As(failure, &exit) {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), failure)
	}
	return Result{Out: out.String(), Err: err.String(), Code: command.ProcessState.ExitCode()}
}

// Refused runs kubectl, which must fail and say each of these words.
func (u *User) Refused(t testing.TB, words []string, args ...string) {
	t.Helper()
	u.RefusedWith(t, words, "", args...)
}

// RefusedWith is Refused with this on standard input.
func (u *User) RefusedWith(t testing.TB, words []string, input string, args ...string) {
	t.Helper()
	result := u.TryWith(t, input, args...)
	if result.Code == 0 {
		t.Errorf("%s: kubectl %s: succeeded, and should not have: %s", u.Name, strings.Join(args, " "), result)
		return
	}
	for _, word := range words {
		if !strings.Contains(result.Err, word) {
			t.Errorf("%s: kubectl %s: does not say %q: %s", u.Name, strings.Join(args, " "), word, result)
		}
	}
}

func (u *User) command(ctx context.Context, args ...string) *exec.Cmd {
	env := u.cluster.env
	command := exec.CommandContext(ctx, env[envAssets]+"/kubectl", args...)
	command.Env = []string{
		"PATH=" + env[envBin] + ":" + env[envAssets] + ":" + os.Getenv("PATH"),
		"HOME=" + u.home, "XDG_CONFIG_HOME=" + u.home, "TMPDIR=" + os.TempDir(),
		"KUBECONFIG=" + u.kubeconfig,
		// psql of the machine must not read the machine's own settings.
		"PGSYSCONFDIR=" + u.home, "PSQL_HISTORY=/dev/null", "LC_ALL=C.UTF-8",
	}
	command.WaitDelay = 5 * time.Second
	return command
}

// KeyOf is the file of the private key that the plugin made for a task.
func (u *User) KeyOf(t testing.TB, k *Task) string {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k.Get(t).Spec.ClientKeys[0]))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(key.Marshal())
	return filepath.Join(u.home, "sallyport", "keys", hex.EncodeToString(sum[:])+".pem")
}

// Pipeline is a service account of the domain that may ask for access, with a token
// of its own.
func (d *Domain) Pipeline(t testing.TB, name string) *User {
	t.Helper()
	admin := d.Administrator
	admin.Kubectl(t, "create", "serviceaccount", name, "-n", d.Namespace)
	for binding, role := range map[string]string{"requester": "--clusterrole=sallyport-requester", "use": "--role=use-orders"} {
		admin.Kubectl(t, "create", "rolebinding", name+"-"+binding, role, "--serviceaccount="+d.Namespace+":"+name, "-n", d.Namespace)
	}
	token := strings.TrimSpace(admin.Kubectl(t, "create", "token", name, "-n", d.Namespace, "--duration=1h"))
	user := d.at(t, name, admin.Kubectl(t, "config", "view", "--raw", "--minify", "--flatten"))
	user.Kubectl(t, "config", "set-credentials", name, "--token="+token)
	user.Kubectl(t, "config", "set-context", "--current", "--user="+name)
	return user
}
