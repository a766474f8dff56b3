//go:build smoke

// Package smoke runs one cluster through its life. It needs root, the packages of
// hack/setup.sh and a minute: go test -C hack/cluster -tags smoke -count 1 -v ./smoke
package smoke

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAClusterLivesAndLeavesNothing(t *testing.T) {
	rules := hostRules(t)
	cluster(t, "down")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the cluster was left as it is; its logs are in %s/logs", stateDir())
		}
	})
	cluster(t, "up")
	importProbe(t)
	kubectl(t, objects, "apply", "-f", "-")

	t.Run("pods run and have logs", podsRun)
	t.Run("port-forward reaches a pod", portForward)
	t.Run("an aggregated API is called with the caller's name", aggregated)
	t.Run("policies hold", policiesHold)
	t.Run("a restricted pod writes to the volume", volumeIsWritable)
	t.Run("people have names and groups", people)
	t.Run("PostgreSQL can be taken away and given back", database)
	t.Run("the SSH server takes a key, and can be taken away and given back", sshServer)
	t.Run("a second up heals what died", upHeals)
	t.Run("up after a crash starts anew", upAfterCrash)

	if t.Failed() {
		return
	}
	cluster(t, "down")
	if found := leftovers(t); len(found) > 0 {
		t.Errorf("down left: %s", strings.Join(found, "\n"))
	}
	if now := hostRules(t); now != rules {
		t.Errorf("the host's packet filter changed:\n%s", now)
	}
}

func importProbe(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	binary, tar := filepath.Join(dir, "probe"), filepath.Join(dir, "probe.tar")
	t.Setenv("CGO_ENABLED", "0")
	must(t, "", "go", "build", "-o", binary, "./probe")
	must(t, "", "../../images/images.sh", "build", "--name", probeImage, "--output", tar, "--file", binary+":/probe")
	cluster(t, "load-image", tar)
}

func podsRun(t *testing.T) {
	waitReady(t, "smoke", "server")
	waitReady(t, "smoke", "client")
	if logs := logsOf(t, "server"); logs != "serving\n" {
		t.Errorf("logs: %q", logs)
	}
	// By the Service's address, from its very first packet on.
	if logs := logsOf(t, "client"); !strings.HasPrefix(logs, "connected at attempt 1\n") {
		t.Errorf("the client's start: %q", logs)
	}
	dials(t, "10.96.77.77:80", true)
	dials(t, "server:80", true)
	dials(t, "server.smoke.svc:80", true)
	dials(t, "nobody.smoke.svc:80", false)
	if answer := kubectl(t, "", "exec", "--namespace", "smoke", "client", "--", "/probe", "dial", "server.smoke.svc.cluster.local:80"); answer != "connected\n" {
		t.Errorf("exec: %q", answer)
	}
}

func portForward(t *testing.T) {
	env := values(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(env["KUBEBUILDER_ASSETS"], "kubectl"), "--kubeconfig", env["KUBECONFIG"],
		"port-forward", "--namespace", "smoke", "pod/server", ":8080")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = command.Wait() }()
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(line, "Forwarding from "), " ")
	response, err := http.Get("http://" + address + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); string(body) != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
}

func aggregated(t *testing.T) {
	kubectl(t, "", "wait", "--for=condition=Available", "--timeout=60s", "apiservice/v1.probe.sallyport.local")
	answer := kubectl(t, "", "get", "--raw", "/apis/probe.sallyport.local/v1")
	if !strings.Contains(answer, `"user":"admin","caller":"front-proxy-client"`) {
		t.Errorf("got %s", answer)
	}
	// An unreachable aggregated API would slow every discovery from here on.
	kubectl(t, "", "delete", "apiservice", "v1.probe.sallyport.local")
}

func policiesHold(t *testing.T) {
	const apiServer, service = "10.96.0.1:443", "10.96.77.77:80"
	dials(t, apiServer, true)
	kubectl(t, denyEgress, "apply", "-f", "-")
	dials(t, apiServer, false)
	dials(t, "10.90.0.1:6443", false)
	dials(t, service, false)

	kubectl(t, lateClient, "apply", "-f", "-")
	waitReady(t, "smoke", "late")
	if logs := logsOf(t, "late"); !strings.HasPrefix(logs, "never connected\n") {
		t.Errorf("a new pod was faster than its policy: %q", logs)
	}

	kubectl(t, allowAPIServer, "apply", "-f", "-")
	dials(t, apiServer, true)
	dials(t, service, false)

	kubectl(t, "", "delete", "networkpolicy", "--namespace", "smoke", "deny", "allow")
	dials(t, service, true)
	kubectl(t, denyIngress, "apply", "-f", "-")
	dials(t, service, false)
	if answer := get(t, "server", "hello"); answer != "hello" {
		t.Errorf("the node itself must reach its pods: %q", answer)
	}
}

func volumeIsWritable(t *testing.T) {
	kubectl(t, writer, "apply", "-f", "-")
	waitReady(t, "restricted", "writer")
	written, err := os.ReadFile(filepath.Join(values(t)["SALLYPORT_RECORDINGS"], "namespace/request/file"))
	if err != nil || string(written) != "written" {
		t.Errorf("the volume has %q, %v", written, err)
	}
	env := values(t)
	if _, err := run(t, privileged, filepath.Join(env["KUBEBUILDER_ASSETS"], "kubectl"), "--kubeconfig", env["KUBECONFIG"], "apply", "-f", "-"); err == nil {
		t.Error("Pod Security let a privileged pod in")
	}
}

func people(t *testing.T) {
	path := strings.TrimSpace(cluster(t, "user", "bob", "--group", "dba", "--group", "eng"))
	who := must(t, "", filepath.Join(values(t)["KUBEBUILDER_ASSETS"], "kubectl"), "--kubeconfig", path, "auth", "whoami", "--output", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
	if who != `bob ["dba","eng","system:authenticated"]` {
		t.Errorf("got %s", who)
	}
}

func database(t *testing.T) {
	cluster(t, "postgres")
	env := values(t)
	query := func() (string, error) {
		return run(t, "", "env", "PGPASSWORD="+env["PG_PASSWORD"], "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
			"host="+env["PG_FORWARD_HOST"]+" port="+env["PG_FORWARD_PORT"]+" user="+env["PG_USER"]+" dbname="+env["PG_DATABASE"]+" sslmode=verify-full sslrootcert="+env["PG_CA_FILE"])
	}
	if answer, err := query(); err != nil || answer != "t\n" {
		t.Errorf("got %q, %v", answer, err)
	}
	dials(t, env["PG_HOST"]+":"+env["PG_PORT"], true)
	dials(t, env["PG_NAME"]+":"+env["PG_PORT"], true)
	cluster(t, "postgres", "stop")
	if _, err := query(); err == nil {
		t.Error("PostgreSQL answers although it is stopped")
	}
	cluster(t, "postgres", "start")
	if _, err := query(); err != nil {
		t.Error("PostgreSQL does not come back")
	}
}

func sshServer(t *testing.T) {
	cluster(t, "ssh")
	env := values(t)
	key := filepath.Join(t.TempDir(), "key")
	must(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	must(t, "", "cp", key+".pub", filepath.Join(env["SSH_AUTHORIZED_KEYS"], "deploy"))
	known := filepath.Join(t.TempDir(), "known_hosts")
	must(t, "", "sh", "-c", `echo "[$1]:$2 $(cat "$3")" >"$4"`, "sh", env["SSH_FORWARD_HOST"], env["SSH_FORWARD_PORT"], env["SSH_HOST_KEY_FILE"], known)
	login := func() (string, error) {
		return run(t, "", "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+known, "-i", key,
			"-p", env["SSH_FORWARD_PORT"], "deploy@"+env["SSH_FORWARD_HOST"], "id -un; ls /srv")
	}
	if answer, err := login(); err != nil || answer != "deploy\ngit\nlogs\nwww\n" {
		t.Errorf("got %q, %v", answer, err)
	}
	dials(t, env["SSH_HOST"]+":"+env["SSH_PORT"], true)
	dials(t, env["SSH_NAME"]+":"+env["SSH_PORT"], true)
	cluster(t, "ssh", "stop")
	if _, err := login(); err == nil {
		t.Error("the SSH server answers although it is stopped")
	}
	cluster(t, "ssh", "start")
	if _, err := login(); err != nil {
		t.Error("the SSH server does not come back")
	}
}

func upHeals(t *testing.T) {
	before := supervisor(t)
	cluster(t, "exec", "sh", "-c", `kill -9 $(pgrep -x kubelet) $(pgrep -x etcd)`)
	cluster(t, "up")
	if supervisor(t) != before {
		t.Error("up threw a cluster away that it could mend")
	}
	kubectl(t, "", "get", "nodes")
}

func upAfterCrash(t *testing.T) {
	before := supervisor(t)
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cluster(t, "up")
	if supervisor(t) == before {
		t.Error("still process " + strconv.Itoa(before))
	}
	kubectl(t, "", "get", "nodes")
}
