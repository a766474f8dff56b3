package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// One task on a server, line by line. Each line stands on those before it.
func TestSSH_OneTaskOnAServerFromItsRequestToItsProof(t *testing.T) {
	t.Parallel()
	s := &serverStory{whole: t}
	s.site(t)
	for _, line := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"ssh is told what it waits for", s.held},
		{"approved the waiting ssh goes on by itself", s.approved},
		{"what is granted works", s.worked},
		{"what is not says why and leaves the connection usable", s.refused},
		{"a held command waits for its reviewer", s.reviewed},
		{"a held command that is denied says who and why", s.denied},
		{"a held command that is interrupted is withdrawn", s.interrupted},
		{"on the server it is a certificate of this request", s.certified},
		{"closing ends it at once and leaves nothing", s.closed},
		{"the server refuses the certificate", s.out},
		{"the recording replays and verifies and is evidence", s.recorded},
	} {
		if !t.Run(line.name, line.run) {
			t.FailNow()
		}
	}
}

type serverStory struct {
	*harness.Domain
	*harness.Server
	// whole outlives each line: bob's connection is its.
	whole  *testing.T
	folder string
	task   *harness.Task
	tools  *harness.Tools
	first  *harness.Psql
}

// site makes the domain: bob may look at a site, change its files, and with alice's yes
// restart it.
func (s *serverStory) site(t *testing.T) {
	s.folder = harness.Open(t).Server(t).Folder(t)
	s.Domain, s.Server = harness.Open(t).ServerDomain(t, func(p *v1alpha1.AccessPolicySpec) {
		ssh := p.Grant.SSH
		ssh.Commands = harness.Commands("id -un", "cat "+s.folder+"/*", "tail -f "+s.folder+"/*", "touch "+s.folder+"/*")
		ssh.Files = []v1alpha1.FileGrant{{Path: s.folder + "/**", Access: []v1alpha1.FileAccess{v1alpha1.FileRead, v1alpha1.FileWrite}}}
		p.Rules = []v1alpha1.Rule{
			{Name: "restarts", When: "action.kind == 'exec' && action.command.startsWith('touch')", Effect: v1alpha1.EffectHold, Message: "somebody has to look"},
			{Name: "no-secrets", When: "action.files.exists(f, f.path.endsWith('.key'))", Effect: v1alpha1.EffectDeny, Message: "keys stay where they are"},
		}
	})
	s.Write(t, s.folder+"/index.html", []byte("<h1>Orders</h1>\n"))
	s.Write(t, s.folder+"/site.key", []byte("secret"))
}

func (s *serverStory) held(t *testing.T) {
	s.task = s.Ask(t, s.Bob, "web-1", harness.TypeDeploy)
	s.task.AwaitState(t, v1alpha1.ReasonAwaitingReview)
	s.task.AwaitProxy(t)
	s.tools = s.task.Tools(s.whole)
	s.first = s.tools.Start(s.whole, "ssh", s.tools.Host, "id -un")
	s.first.Err.Await(t, 0, "sallyport: task WEB-1 waits for", harness.Patience)
	if !s.first.Running() || s.first.Out.String() != "" {
		t.Errorf("ssh was not held: %s", s.first.Out)
	}
	if log := s.Log(t); strings.Contains(log, s.task.UID) {
		t.Error("the server has met a certificate of the request before its review")
	}
}

func (s *serverStory) approved(t *testing.T) {
	s.task.Approve(t, s.Alice)
	approved := time.Now()
	ended, code := s.first.Exit(t, harness.Patience)
	if out := s.first.Out.String(); code != 0 || out != "deploy\n" {
		t.Errorf("exit code %d: %q %s", code, out, s.first.Err)
	}
	t.Log("from approval to the answer:", ended.Sub(approved).Round(time.Millisecond))
	s.task.AwaitState(t, v1alpha1.ReasonActive)
}

func (s *serverStory) worked(t *testing.T) {
	says(t, s.tools.Do(t, "ssh", s.tools.Host, "cat "+s.folder+"/index.html"), "<h1>Orders</h1>")
	page := s.tools.Local(t, "index.html", []byte("<h1>Orders of May</h1>\n"))
	s.tools.Do(t, "scp", "-q", page, s.tools.Host+":"+s.folder+"/index.html")
	s.tools.Do(t, "scp", "-q", "-O", page, s.tools.Host+":"+s.folder+"/old.html")
	for _, name := range []string{"index.html", "old.html"} {
		says(t, string(s.Read(t, s.folder+"/"+name)), "Orders of May")
	}
	// The plugin's own ways.
	result := s.Bob.Try(t, "access", "ssh", "web-1", "-n", s.Namespace, "--", "id", "-un")
	if result.Code != 0 || result.Out != "deploy\n" {
		t.Errorf("kubectl access ssh: %d: %s", result.Code, result)
	}
}

func (s *serverStory) refused(t *testing.T) {
	for _, try := range []struct {
		name, program string
		args          []string
		words         []string
	}{
		{"a command", "ssh", []string{s.tools.Host, "cat /etc/passwd"}, []string{"sallyport: refused by policy", harness.DeployPolicy, "web-1"}},
		{"a granted command with another behind it", "ssh", []string{s.tools.Host, "id -un; uname"}, []string{"sallyport: refused by policy"}},
		{"a granted command with another inside", "ssh", []string{s.tools.Host, "cat " + s.folder + "/$(whoami)"}, []string{"sallyport: refused by policy"}},
		{"a shell", "ssh", []string{"-T", s.tools.Host}, []string{"sallyport: refused by policy"}},
		{"a file outside", "scp", []string{"-q", s.tools.Host + ":/etc/passwd", s.tools.Home + "/passwd"}, nil},
		{"a file outside, by the old protocol", "scp", []string{"-q", "-O", s.tools.Host + ":/etc/passwd", s.tools.Home + "/passwd"}, []string{"sallyport: refused by policy"}},
		{"a file by another way to it", "scp", []string{"-q", s.tools.Host + ":" + s.folder + "/../../etc/passwd", s.tools.Home + "/passwd"}, nil},
		{"a file that a rule keeps", "scp", []string{"-q", s.tools.Host + ":" + s.folder + "/site.key", s.tools.Home + "/site.key"}, nil},
	} {
		result := s.tools.Run(t, try.program, try.args...)
		if result.Code == 0 {
			t.Errorf("%s: succeeded: %s", try.name, result)
		}
		says(t, result.Err, try.words...)
	}
	if result := s.tools.Run(t, "ssh", s.tools.Host, "cat /etc/passwd"); result.Code != 126 {
		t.Errorf("a refused command has exit code %d, and a shell's is 126", result.Code)
	}
	says(t, s.tools.Do(t, "ssh", s.tools.Host, "id -un"), "deploy")
}

func (s *serverStory) reviewed(t *testing.T) {
	command := s.tools.Start(t, "ssh", s.tools.Host, "touch "+s.folder+"/restart")
	review, _ := command.Held(t)
	says(t, s.Alice.Kubectl(t, "approve", "show", review, "-n", s.Namespace), "touch "+s.folder+"/restart", "restarts", "bob")
	s.Bob.Refused(t, []string{"Forbidden"}, "approve", review, "-n", s.Namespace, "-m", "mine")
	s.Alice.Kubectl(t, "approve", review, "-n", s.Namespace, "-m", "go ahead")
	if _, code := command.Exit(t, harness.Patience); code != 0 {
		t.Errorf("exit code %d: %s", code, command.Err)
	}
	s.Read(t, s.folder+"/restart")
}

func (s *serverStory) denied(t *testing.T) {
	command := s.tools.Start(t, "ssh", s.tools.Host, "touch "+s.folder+"/denied")
	review, _ := command.Held(t)
	s.Alice.Kubectl(t, "approve", "deny", review, "-n", s.Namespace, "-m", "not before noon")
	if _, code := command.Exit(t, harness.Patience); code != 126 {
		t.Errorf("exit code %d: %s", code, command.Err)
	}
	says(t, command.Err.String(), "rule restarts", "alice: not before noon")
}

func (s *serverStory) interrupted(t *testing.T) {
	command := s.tools.Start(t, "ssh", s.tools.Host, "touch "+s.folder+"/interrupted")
	review, _ := command.Held(t)
	command.Kill(t)
	s.AwaitOutcome(t, review, v1alpha1.OutcomeWithdrawn)
	if _, err := s.Stat(s.folder + "/interrupted"); err == nil {
		t.Error("the withdrawn command ran")
	}
}

func (s *serverStory) certified(t *testing.T) {
	says(t, s.Log(t), `Accepted certificate ID "sallyport-`+s.task.UID)
	says(t, s.task.Role(t), s.task.UID)
}

func (s *serverStory) closed(t *testing.T) {
	running := s.tools.Start(t, "ssh", s.tools.Host, "tail -f "+s.folder+"/index.html")
	running.Out.Await(t, 0, "Orders", harness.Patience)
	s.Alice.Kubectl(t, "access", "close", "web-1", "-n", s.Namespace)
	closed := time.Now()
	ended, code := running.Exit(t, harness.Patience)
	harness.Within(t, "ssh ended after kubectl access close had answered", ended.Sub(closed), harness.Soon)
	if code == 0 {
		t.Error("ssh takes a closed task for a command that succeeded")
	}
	says(t, running.Err.String(), "sallyport:", "the request was closed")
	request := s.task.AwaitGone(t, v1alpha1.ReasonClosed)
	says(t, request.Status.Teardown.Message, "certificate", "pod, service, service account, network policy and role gone")
}

func (s *serverStory) out(t *testing.T) {
	if result := s.tools.Run(t, "ssh", s.tools.Host, "id -un"); result.Code != 255 {
		t.Errorf("after the close: exit code %d: %s", result.Code, result)
	}
	s.Bob.Refused(t, []string{"over"}, "access", "ssh", "web-1", "-n", s.Namespace, "--", "id")
}

func (s *serverStory) recorded(t *testing.T) {
	replay := s.task.Replay(t)
	says(t, replay, "bob", "id -un", "cat /etc/passwd", "REFUSED", "restarts", "Approved: approved by alice", "Denied: alice: not before noon", s.folder+"/index.html")
	doesNotSay(t, replay, "BEGIN OPENSSH PRIVATE KEY")
	verdict := s.task.Verify(t)
	if verdict.Code != 0 {
		t.Errorf("verify: exit code %d", verdict.Code)
	}
	says(t, verdict.Out, "OK: complete")
	bundle := s.task.Evidence(t)
	if sessions := harness.Entries(t, bundle, ".seg"); len(sessions) == 0 {
		t.Error("the evidence has no recording")
	}
	checked := s.Elsewhere(t, "evidence", "verify", bundle, "--key", s.RecordingKeys(t))
	if checked.Code != 0 {
		t.Errorf("the evidence elsewhere: %s", checked)
	}
	says(t, checked.Out, "OK", "session", "teardown")
}
