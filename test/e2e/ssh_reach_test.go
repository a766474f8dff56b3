package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// reach is a server on which somebody reaches for more than programs: Unix sockets there,
// and there what is here, the agent and the display.
type reach struct {
	*harness.Tools
	*harness.Server
	task    *harness.Task
	folder  string
	agent   string // the socket of this machine's agent, which has one key
	display string // of this machine
}

// newReach grants a task its commands, and what else the change says.
func newReach(t *testing.T, change func(p *v1alpha1.AccessPolicySpec, folder string)) *reach {
	t.Helper()
	folder := harness.Open(t).Server(t).Folder(t)
	d, server := harness.Open(t).ServerDomain(t, func(p *v1alpha1.AccessPolicySpec) {
		p.Grant.SSH.Commands = harness.Commands("ssh-add -l", "bash "+folder+"/draw", "tail -f "+folder+"/begun")
		change(p, folder)
	})
	server.Write(t, folder+"/draw", []byte(draw))
	server.Write(t, folder+"/begun", []byte("begun\n"))
	direct := server.Direct(t, d.Dave)
	echo := echoing(t)
	listening := daemon(t, direct, "ssh", "-v", "-N", "-R", folder+"/app.sock:"+echo, "-R", folder+"/other.sock:"+echo, direct.Host)
	_, at := listening.Err.Await(t, 0, "remote forward success", harness.Patience)
	listening.Err.Await(t, at, "remote forward success", harness.Patience)
	r := &reach{Server: server, folder: folder, agent: shortFolder(t) + "/agent", display: display(t)}
	r.task = d.Granted(t, d.Bob, "web-1", harness.TypeDeploy)
	r.Tools = r.task.Tools(t)
	key := filepath.Join(r.Home, "key")
	r.Do(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of this machine", "-f", key)
	daemon(t, r.Tools, "ssh-agent", "-D", "-a", r.agent)
	harness.Eventually(t, harness.Patience, "a key in the agent", func() (bool, string) {
		added := r.Run(t, "sh", "-c", `SSH_AUTH_SOCK=$0 ssh-add -q "$1"`, r.agent, key)
		return added.Code == 0, added.String()
	})
	return r
}

// daemon starts a program that does not end by itself.
func daemon(t *testing.T, tools *harness.Tools, program string, args ...string) *harness.Psql {
	t.Helper()
	running := tools.Start(t, program, args...)
	t.Cleanup(func() { running.Kill(t) })
	return running
}

// draw is an X client: it greets the display (X11's protocol, section 8) with the cookie
// that sshd was given, and prints what it hears.
const draw = `number=${DISPLAY:?} && number=${number##*:} && number=${number%.*}
cookie=$(xauth list | sed -n "s/.*:$number  MIT-MAGIC-COOKIE-1  //p" | tail -n 1 | sed 's/../\\x&/g')
exec 3<>/dev/tcp/localhost/$((6000 + number))
printf 'l\0\013\0\0\0\022\0\020\0\0\0MIT-MAGIC-COOKIE-1\0\0'"$cookie" >&3
head -n 1 <&3
`

// display is one of this machine that answers whoever greets it.
func display(t *testing.T) (name string) {
	t.Helper()
	var listener net.Listener
	for listener == nil {
		number := 100 + rand.IntN(10000)
		name = fmt.Sprintf("127.0.0.1:%d", number)
		listener, _ = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 6000+number))
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			greeting := make([]byte, 12+20+16)
			if _, err := io.ReadFull(conn, greeting); err == nil {
				_, _ = conn.Write([]byte("drawn\n"))
			}
			_ = conn.Close()
		}
	}()
	return name
}

func (r *reach) listKeys(t *testing.T) harness.Result {
	t.Helper()
	return r.Run(t, "sh", "-c", `SSH_AUTH_SOCK=$1 $RSYNC_RSH -A "$0" "ssh-add -l"`, r.Host, r.agent)
}

func (r *reach) draws(t *testing.T) harness.Result {
	t.Helper()
	return r.Run(t, "sh", "-c", `DISPLAY=$1 $RSYNC_RSH -Y "$0" "$2"`, r.Host, r.display, "bash "+r.folder+"/draw")
}

// connect shares a connection at a socket, which forwards two sockets of this machine.
func (r *reach) connect(t *testing.T) (shared *harness.Psql, control, app, other string) {
	t.Helper()
	local := shortFolder(t)
	control, app, other = local+"/control", local+"/app", local+"/other"
	shared = daemon(t, r.Tools, "ssh", "-M", "-S", control,
		"-L", app+":"+r.folder+"/app.sock", "-L", other+":"+r.folder+"/other.sock", r.Host, "tail -f "+r.folder+"/begun")
	shared.Out.Await(t, 0, "begun", harness.Patience)
	return shared, control, app, other
}

// answer is what a socket of this machine answers to hello.
func answer(t *testing.T, socket string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	_, _ = conn.Write([]byte("hello\n"))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}

// over closes the task, whose recording says this.
func (r *reach) over(t *testing.T, words ...string) {
	t.Helper()
	r.task.Close(t)
	r.task.AwaitGone(t, v1alpha1.ReasonClosed)
	says(t, r.task.Replay(t), words...)
}

func TestSSH3_SocketsAgentAndDisplayAreReachedByWhomTheyAreGrantedTo(t *testing.T) {
	t.Parallel()
	listen := int32(20000 + rand.IntN(10000))
	r := newReach(t, func(p *v1alpha1.AccessPolicySpec, folder string) {
		ssh := p.Grant.SSH
		ssh.AgentForwarding, ssh.X11Forwarding = true, true
		ssh.Sockets = []v1alpha1.SocketGrant{{Path: folder + "/app.sock"}}
		ssh.Listeners = []v1alpha1.ForwardGrant{{Host: "localhost", Ports: []int32{listen, listen + 1}}}
		p.Rules = []v1alpha1.Rule{{Name: "listeners", When: "action.kind == 'tcpip-forward'", Effect: v1alpha1.EffectHold}}
	})
	if keys := r.listKeys(t); !strings.Contains(keys.Out, "of this machine") {
		t.Errorf("with the agent: %s", keys)
	}
	drawn := r.draws(t)
	if drawn.Out != "drawn\n" {
		t.Errorf("on the display: %s", drawn)
	}
	shared, control, app, other := r.connect(t)
	if got := answer(t, app); got != "hello\n" {
		t.Errorf("by a socket that is granted: %q: %s", got, shared.Err)
	}
	if got := answer(t, other); got != "" {
		t.Errorf("by a socket that is not granted: %q", got)
	}
	shared.Err.Await(t, 0, "sallyport: refused by policy", harness.Patience)

	// A listener that is held: who is connected sees that somebody is asked.
	alice, namespace := r.task.Domain.Alice, r.task.Domain.Namespace
	echo := echoing(t)
	review := ""
	forward := func(port int32) *harness.Psql {
		asked := r.Start(t, "ssh", "-S", control, "-O", "forward", "-R", fmt.Sprintf("localhost:%d:%s", port, echo), r.Host)
		// It is told again of the one before, when more is known of it.
		for before := review; review == before; {
			review, _ = shared.Held(t)
		}
		return asked
	}
	asked := forward(listen)
	says(t, alice.Kubectl(t, "approve", "show", review, "-n", namespace), "tcpip-forward", fmt.Sprint(listen), "listeners", "bob")
	alice.Kubectl(t, "approve", review, "-n", namespace, "-m", "go ahead")
	if _, code := asked.Exit(t, harness.Patience); code != 0 {
		t.Errorf("an approved listener: exit code %d: %s", code, asked.Err)
	}
	said := r.Direct(t, r.task.Domain.Dave).Run(t, "ssh", "deploy@direct",
		fmt.Sprintf("exec 3<>/dev/tcp/localhost/%d; echo hello >&3; head -n 1 <&3", listen))
	if said.Out != "hello\n" {
		t.Errorf("by an approved listener: %s", said)
	}
	asked = forward(listen + 1)
	alice.Kubectl(t, "approve", "deny", review, "-n", namespace, "-m", "one is enough")
	if _, code := asked.Exit(t, harness.Patience); code == 0 || !strings.Contains(asked.Err.String(), "remote port forwarding failed") {
		t.Errorf("a denied listener: exit code %d: %s", code, asked.Err)
	}
	shared.Err.Await(t, 0, "alice: one is enough", harness.Patience)
	r.over(t, "auth-agent-req", "x11-req", "app.sock", "other.sock", "Approved: approved by alice", "Denied: alice: one is enough")
}

func TestSSH3_SocketsAgentAndDisplayAreOutOfReachOfEverybodyElse(t *testing.T) {
	t.Parallel()
	r := newReach(t, func(*v1alpha1.AccessPolicySpec, string) {})
	// Of ssh-add, that there is no agent.
	if keys := r.listKeys(t); keys.Code != 2 || keys.Out != "" {
		t.Errorf("with the agent: exit code %d: %s", keys.Code, keys)
	}
	drawn := r.draws(t)
	if drawn.Code == 0 || drawn.Out != "" {
		t.Errorf("on the display: exit code %d: %s", drawn.Code, drawn)
	}
	says(t, drawn.Err, "X11 forwarding request failed")
	shared, _, app, _ := r.connect(t)
	if got := answer(t, app); got != "" {
		t.Errorf("by a socket: %q", got)
	}
	shared.Err.Await(t, 0, "sallyport: refused by policy", harness.Patience)
	if _, err := r.Stat(r.folder + "/app.sock"); err != nil {
		t.Errorf("the socket that was refused: %v", err)
	}
	r.over(t, "auth-agent-req", "x11-req", "app.sock", "REFUSED")
}
