//go:build smoke

package smoke

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const name = "smoke"

// run runs a command to its end, with stdin, and returns its stdout.
func run(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Stdin = strings.NewReader(stdin)
	// A pipe that a process of the cluster kept open would hang the command here.
	command.WaitDelay = 5 * time.Second
	var problem strings.Builder
	command.Stderr = &problem
	output, err := command.Output()
	if err != nil {
		t.Logf("%s: %v: %s", strings.Join(args, " "), err, problem.String())
	}
	return string(output), err
}

func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	output, err := run(t, stdin, args...)
	if err != nil {
		t.FailNow()
	}
	return output
}

func cluster(t *testing.T, verb string, args ...string) string {
	t.Helper()
	return must(t, "", append([]string{"../cluster.sh", verb, "--name", name}, args...)...)
}

// values are the lines of the cluster's env file.
func values(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(cluster(t, "env")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[key] = value
	}
	return found
}

func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	env := values(t)
	base := []string{filepath.Join(env["KUBEBUILDER_ASSETS"], "kubectl"), "--kubeconfig", env["KUBECONFIG"]}
	return must(t, stdin, append(base, args...)...)
}

func waitReady(t *testing.T, namespace, pod string) {
	t.Helper()
	kubectl(t, "", "wait", "--namespace", namespace, "--for=condition=Ready", "--timeout=60s", "pod/"+pod)
}

// logsOf returns a pod's log once it serves.
func logsOf(t *testing.T, pod string) string {
	t.Helper()
	var logs string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		if logs = kubectl(t, "", "logs", "--namespace", "smoke", pod); strings.HasSuffix(logs, "serving\n") {
			return logs
		}
	}
	t.Errorf("pod %s does not serve: %q", pod, logs)
	return logs
}

// get asks a pod by way of the API server.
func get(t *testing.T, pod, path string) string {
	t.Helper()
	return kubectl(t, "", "get", "--raw", "/api/v1/namespaces/smoke/pods/"+pod+":8080/proxy/"+path)
}

// dials asks the client pod to dial until the answer is as wanted: rules follow
// objects within moments, not at once.
func dials(t *testing.T, address string, want bool) {
	t.Helper()
	var answer string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		answer = get(t, "client", "dial?address="+address)
		if (answer == "connected") == want {
			return
		}
	}
	t.Errorf("dial %s: %s; want connected: %v", address, answer, want)
}

// leftovers lists what a cluster may leave on the host.
func leftovers(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/sallyport-" + name, "/sys/fs/cgroup/*/sallyport-" + name, stateDir()} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, matches...)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, stateDir()) {
			found = append(found, "mount "+line)
		}
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range commands {
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), stateDir()+"/") {
			found = append(found, "process "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func stateDir() string {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		base = "/var/lib"
	}
	return filepath.Join(base, "sallyport", name)
}

// hostRules is the host's own packet filter, which no cluster may touch.
func hostRules(t *testing.T) string {
	t.Helper()
	return must(t, "", "nft", "list", "ruleset")
}

func supervisor(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(stateDir(), "cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Supervisor struct {
			PID int `json:"pid"`
		} `json:"supervisor"`
	}
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	return record.Supervisor.PID
}
