package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// crowd is a task with a client of every kind in the middle of something.
type crowd struct {
	*harness.Domain
	task    *harness.Task
	tools   *harness.Tools
	clients map[string]*harness.Psql
	// forwarded is a connection through one of them, which has no channel that could tell
	// it of an end: it goes when whatever carries its connection says so.
	forwarded net.Conn
	waiting   string // the review of what is held
}

// gather makes a task of a domain where all is allowed and what is touched is held.
func gather(t *testing.T, d *harness.Domain, server *harness.Server, name string, flags ...string) *crowd {
	t.Helper()
	folder := server.Folder(t)
	server.Write(t, folder+"/big", noise(8<<20))
	server.Write(t, folder+"/endless", nil)
	if err := os.Truncate(server.Path(folder+"/endless"), 1<<40); err != nil {
		t.Fatal(err)
	}
	c := &crowd{Domain: d, clients: map[string]*harness.Psql{}}
	c.task = d.Granted(t, d.Bob, name, harness.TypeDeploy, flags...)
	c.tools = c.task.Tools(t)
	host := c.tools.Host
	start := func(kind, program string, args ...string) *harness.Psql {
		c.clients[kind] = c.tools.Start(t, program, args...)
		return c.clients[kind]
	}
	says := func(kind, words string) { c.clients[kind].Out.Await(t, 0, words, harness.Patience) }

	start("a shell on a terminal", "ssh", "-tt", host)
	says("a shell on a terminal", "$ ")
	start("a command that is silent", "ssh", host, "echo begun; sleep 600")
	says("a command that is silent", "begun")
	start("a command that pours", "sh", "-c", `$RSYNC_RSH "$0" "echo begun; cat /dev/zero" | { head -n 1; exec cat >/dev/null; }`, host)
	says("a command that pours", "begun")
	start("an upload into a command", "sh", "-c", `$RSYNC_RSH "$0" "echo begun; cat >/dev/null" </dev/zero`, host)
	says("an upload into a command", "begun")
	start("git in the middle of a fetch", "ssh", host, "git-upload-pack /srv/git/site.git")
	says("git in the middle of a fetch", "refs/heads/main")

	// Not by a limit of theirs: who sleeps notices an end late.
	endless := host + ":" + folder + "/endless"
	start("sftp's download", "sftp", "-q", "-b", c.tools.Local(t, "batch", []byte("get "+folder+"/endless /dev/null\n")), host)
	start("scp's download", "scp", "-q", endless, "/dev/null")
	start("the old scp's download", "scp", "-q", "-O", endless, "/dev/null")
	start("rsync's download", "rsync", "--inplace", "--bwlimit=100", host+":"+folder+"/big", c.tools.Home+"/rsync")
	for kind, client := range c.clients {
		if strings.HasSuffix(kind, "download") {
			client.Receives(t, 1<<16)
		}
	}

	port := freePort(t)
	start("a forwarded connection", "ssh", "-N", "-L", fmt.Sprintf("127.0.0.1:%d:%s:22", port, server.Name), host)
	c.forwarded = dialled(t, port, "SSH-2.0-")
	start("what shares a connection", "ssh", "-M", "-S", shortFolder(t)+"/socket", host, "echo begun; sleep 600")
	says("what shares a connection", "begun")

	held := start("a held command", "ssh", host, "touch "+folder+"/never")
	c.waiting, _ = held.Held(t)
	return c
}

// ends waits for every client's end, and returns how long after this moment each came.
func (c *crowd) ends(t *testing.T, from time.Time) map[string]time.Duration {
	t.Helper()
	took := map[string]time.Duration{}
	_ = c.forwarded.SetReadDeadline(time.Now().Add(harness.Patience))
	if _, err := io.Copy(io.Discard, c.forwarded); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the forwarded connection: %v", err)
	}
	took["a forwarded connection"] = time.Since(from)
	for kind, client := range c.clients {
		ended, code := client.Exit(t, harness.Patience)
		if kind != "a forwarded connection" {
			took[kind] = ended.Sub(from)
		}
		// The shell's pipe has the exit code of what reads it.
		if code == 0 && kind != "a command that pours" {
			t.Errorf("%s ended as if all were well: %s%s", kind, client.Out, client.Err)
		}
	}
	return took
}

// told checks that those who can be told are told why.
func (c *crowd) told(t *testing.T, why string) {
	t.Helper()
	for _, kind := range []string{"a shell on a terminal", "a command that is silent", "a held command", "what shares a connection"} {
		if said := c.clients[kind].Err.String() + c.clients[kind].Out.String(); !strings.Contains(said, "sallyport:") || !strings.Contains(said, why) {
			t.Errorf("%s is not told %q: %s", kind, why, said)
		}
	}
}

// over checks that nothing is left of the task, and that nobody comes in any more.
func (c *crowd) over(t *testing.T, server *harness.Server, state string) {
	t.Helper()
	request := c.task.AwaitGone(t, state)
	says(t, request.Status.Teardown.Message, "certificate")
	c.AwaitOutcome(t, c.waiting, v1alpha1.OutcomeWithdrawn)
	accepted := strings.Count(server.Log(t), c.task.UID)
	if result := c.tools.Run(t, "ssh", c.tools.Host, "true"); result.Code != 255 {
		t.Errorf("after its end: exit code %d: %s", result.Code, result)
	}
	if now := strings.Count(server.Log(t), c.task.UID); now != accepted {
		t.Error("the server has met a certificate of a task that is over")
	}
}

// everythingHeldTouches is a policy that allows all, and holds one command.
func everythingHeldTouches(p *v1alpha1.AccessPolicySpec) {
	p.Grant.SSH.Unrestricted = true
	p.Rules = []v1alpha1.Rule{{Name: "touches", When: "action.kind == 'exec' && action.command.startsWith('touch')", Effect: v1alpha1.EffectHold}}
}

// bound is more than a busy machine needs to end a client, and less than any wait for a
// timeout takes: keepalives and tunnels have a quarter of a minute and more. On a quiet
// machine make bench-ends sets it to what is promised.
func bound(t *testing.T) time.Duration {
	t.Helper()
	bound, err := time.ParseDuration(cmp.Or(os.Getenv("SALLYPORT_ENDS_WITHIN"), "5s"))
	if err != nil {
		t.Fatal(err)
	}
	return bound
}

// within checks that each ended, and half of them in the usual time.
func within(t *testing.T, took map[string]time.Duration, usual time.Duration) {
	t.Helper()
	bound := bound(t)
	for kind, took := range took {
		harness.Within(t, kind+" ended", took, bound)
	}
	if half := percentile(slices.Collect(maps.Values(took)), 50); half > usual {
		t.Errorf("half of them took more than %v, not %v", half, usual)
	}
}

// percentile of durations, which it sorts.
func percentile(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[len(all)*percent/100]
}

func TestLIFE1_ClosingEndsEveryKindOfSSHStream(t *testing.T) {
	t.Parallel()
	d, server := harness.Open(t).ServerDomain(t, everythingHeldTouches)
	alice := d.Alice.Client(t)
	var all []time.Duration
	for n := range 3 {
		c := gather(t, d, server, fmt.Sprintf("web-%d", n))
		took := c.ends(t, c.task.CloseBy(t, alice))
		within(t, took, time.Second)
		c.told(t, "the request was closed")
		for _, one := range took {
			all = append(all, one)
		}
		c.over(t, server, v1alpha1.ReasonClosed)
	}
	t.Logf("from kubectl's close to a client's end: p50 %v, p99 %v of %d", percentile(all, 50), percentile(all, 99), len(all))
}

func TestLIFE1_ExpiryEndsEveryKindOfSSHStream(t *testing.T) {
	t.Parallel()
	d, server := harness.Open(t).ServerDomain(t, everythingHeldTouches)
	c := gather(t, d, server, "web-1", "--duration=60s")
	// status.expiresAt has whole seconds.
	within(t, c.ends(t, c.task.Get(t).Status.ExpiresAt.Time), 2*time.Second)
	c.told(t, "time is over")
	c.over(t, server, v1alpha1.ReasonExpired)
}

func TestREV2_APolicyThatIsEditedEndsEveryKindOfSSHStream(t *testing.T) {
	t.Parallel()
	d, server := harness.Open(t).ServerDomain(t, everythingHeldTouches)
	c := gather(t, d, server, "web-1")
	d.EditPolicy(t, harness.DeployPolicy, `{"spec":{"session":{"maxConcurrent":7}}}`)
	within(t, c.ends(t, time.Now()), 2*time.Second)
	c.told(t, "policy")
	c.over(t, server, v1alpha1.ReasonVoid)
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// dialled connects to a port of this machine until who answers begins like this.
func dialled(t *testing.T, port int, words string) net.Conn {
	t.Helper()
	var conn net.Conn
	harness.Eventually(t, harness.Patience, "an answer at the forwarded port", func() (bool, string) {
		var err error
		if conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			return false, err.Error()
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer := make([]byte, len(words))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != words {
			_ = conn.Close()
			return false, fmt.Sprintf("%q, %v", answer, err)
		}
		return true, ""
	})
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// shortFolder is for Unix sockets, whose paths are at most 108 bytes long.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "ssh-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
